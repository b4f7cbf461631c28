"""The command line: `serve` and what prepares it, and a client that speaks HTTP to a server or a data folder."""
