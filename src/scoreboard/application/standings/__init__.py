"""Reads of standings: top, around, one player, sets of players."""
