"""The HTTP kit: endpoints, contracts, server. It has no contract, error shape or token format."""
