"""The limits: minimal programs that do the same work on the same machine."""
