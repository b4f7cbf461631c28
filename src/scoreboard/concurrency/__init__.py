"""Loops, waits and shared calls that every layer uses: one implementation each."""
