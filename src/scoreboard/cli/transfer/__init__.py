"""Commands that move rows between files and a server."""
