"""Live pages without I/O: channels, their positions, and the messages to sessions."""
