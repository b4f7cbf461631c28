"""The kit of live connections: WebSocket and Server-Sent Events. It knows no contract and no token format."""
