"""The way of an update, one verb a file; `update` walks it from top to bottom."""
