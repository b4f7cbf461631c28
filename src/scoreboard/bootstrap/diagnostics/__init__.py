"""Diagnostics of `scoreboard doctor`: this machine and the servers."""
