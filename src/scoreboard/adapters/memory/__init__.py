"""Ranking and rate limiter in the memory of one process."""
