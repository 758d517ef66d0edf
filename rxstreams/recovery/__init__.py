"""How the gaps of a line are closed: held, fetched, proven, sent in order. Feeds and operators use it."""
