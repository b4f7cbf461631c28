"""In process: the ranking, the rate limits."""
