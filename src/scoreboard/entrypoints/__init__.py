"""Entry points: one package per protocol, each translating between it and the use cases."""
