"""Diagnostics: what `scoreboard doctor` looks at before it asks a server."""
