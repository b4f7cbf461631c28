"""The ports of the application: protocols that adapters implement.

Each docstring is a contract. `tests/ports` runs the same tests against every backend.
"""
