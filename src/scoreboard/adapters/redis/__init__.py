"""Redis or Valkey, single, behind Sentinel or as a Cluster: what processes share and can make again."""
