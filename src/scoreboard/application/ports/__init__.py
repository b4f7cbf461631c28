"""What the core needs from the world. Each docstring is the contract; `tests/ports` holds every backend to it."""
