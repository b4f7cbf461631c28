"""Scoreboard: a self-hosted, real-time leaderboard service.

`scoreboard.domain` holds the rules, `scoreboard.application` the way of an update, `scoreboard.adapters` one folder a
technology, `scoreboard.entrypoints` one folder a door, `scoreboard.bootstrap` joins them. ARCHITECTURE.md is the map.
"""

__version__ = "0.1.0"
