"""Real servers of third parties, each on free ports and in a temporary folder."""
