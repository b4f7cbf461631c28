"""One folder a technology; each keeps to the ports, and none knows another."""
