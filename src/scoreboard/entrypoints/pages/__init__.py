"""The live page, its embeddable element and the API documentation."""
