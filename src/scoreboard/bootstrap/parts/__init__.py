"""Parts: one builder for the routes and tasks of each."""
