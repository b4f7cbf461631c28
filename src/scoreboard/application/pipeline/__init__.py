"""The way of an update, one verb a file: authenticate, recall, guard, accept, apply, rank, publish. `update` walks it."""
