"""Entry points: one package per protocol, which calls the use cases."""
