"""Principals, permissions and the policy that connects them."""
