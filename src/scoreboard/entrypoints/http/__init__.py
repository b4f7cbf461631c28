"""The HTTP kit: endpoints, contracts, the server. It knows no contract, no error shape and no token format."""
