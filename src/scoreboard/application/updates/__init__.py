"""The path of an update, from the request to its commit and its rank."""
