"""The layer that the SQL databases share; it imports no driver."""
