"""HTTP kit: endpoints, contracts, server.

Each contract defines its paths, error shape and authentication.
"""
