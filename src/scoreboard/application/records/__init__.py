"""Use cases of the ledger: read it, import entries."""
