"""Live connections by WebSocket and Server-Sent Events, for all contracts."""
