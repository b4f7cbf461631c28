"""Values and rules in pure Python: no await, clock, I/O or third-party package."""
