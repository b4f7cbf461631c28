"""HTTP contracts. Each package translates one published API to the use cases."""
