"""Reads of standings: top, neighbours of a player, one player, sets of players."""
