"""Repeated kill -9 of processes and servers under load, with checked updates."""
