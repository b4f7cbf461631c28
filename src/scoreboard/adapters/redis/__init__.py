"""Redis or Valkey: a single server, a master behind Sentinel, or a Cluster."""
