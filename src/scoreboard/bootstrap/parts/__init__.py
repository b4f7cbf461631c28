"""Parts: one builder for each, of the routes that it answers and the tasks that it runs."""
