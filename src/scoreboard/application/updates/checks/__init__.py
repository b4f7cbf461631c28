"""Checks before routing. One file a check; the first refusal wins, and nothing has happened yet."""
