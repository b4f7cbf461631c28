"""Programs for development, which are not part of the service."""
