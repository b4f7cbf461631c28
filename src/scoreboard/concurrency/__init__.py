"""Loops, backoff and shared calls: one implementation each, for all layers."""
