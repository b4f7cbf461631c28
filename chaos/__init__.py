"""Repeated kill -9 of processes and servers under load, and a check of every update."""
