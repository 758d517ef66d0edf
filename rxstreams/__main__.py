"""``python -m rxstreams``: the command line."""

from rxstreams.cli import main

if __name__ == "__main__":
    main()
