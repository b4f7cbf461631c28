"""Live boards of `/v1`, by WebSocket and Server-Sent Events."""
