"""The last verb, without I/O: channels, their positions, and what each session is sent."""
