"""The limits: the least that could do the same work on the same machine."""
