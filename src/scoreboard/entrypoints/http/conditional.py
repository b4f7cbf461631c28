"""Conditional requests: whether what the client has is still good."""


def matches(etag: str, asked: str) -> bool:
    """Weak comparison with a list of validators (RFC 9110, 13.1.2)."""
    return asked.strip() == "*" or etag in {one.strip().removeprefix("W/") for one in asked.split(",")}
