"""What is run to make things, and is no part of the service."""
