"""What ``rxstreams.manager`` is made of."""
