"""Scoreboard: a self-hosted, real-time leaderboard service.

`scoreboard.domain` holds the rules, `scoreboard.application` the use cases. `scoreboard.adapters` has one package per
technology, and `scoreboard.entrypoints` one per interface. `scoreboard.bootstrap` joins them. See ARCHITECTURE.md.
"""

__version__ = "0.1.0"
