"""What the service does, without a technology: the way of an update, reads, live boards and operations."""
