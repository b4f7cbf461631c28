"""Live boards of `/v1`: a WebSocket conversation, and Server-Sent Events."""
