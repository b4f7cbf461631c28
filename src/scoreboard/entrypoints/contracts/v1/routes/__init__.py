"""Endpoints of `/v1`; each handler translates between JSON and a use case."""
