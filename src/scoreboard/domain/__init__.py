"""Values and rules. No await, no clock, no I/O; the standard library only."""
