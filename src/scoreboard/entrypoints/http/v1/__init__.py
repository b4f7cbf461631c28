"""`/v1`, the API of our own."""
