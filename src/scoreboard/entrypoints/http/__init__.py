"""HTTP: operations, the server, the live page, OpenAPI."""
