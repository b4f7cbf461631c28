"""Use cases, and the ports through which they reach servers and stores."""
