"""Live connections: WebSocket at `/v1/live`, Server-Sent Events at `.../stream`."""
