"""Command line: runs the service, and manages its data over HTTP."""
