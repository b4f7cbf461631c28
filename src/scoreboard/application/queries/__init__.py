"""Reads: top, standing, around, a set of players, the outcome of an update."""
