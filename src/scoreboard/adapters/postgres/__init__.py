"""PostgreSQL: ledger, receipts and directory, shared by any number of processes. Row locks make them serial; a commit
that returned is on disk."""
