"""SQLite: ledger, receipts and directory in one file of the data folder. WAL, `synchronous=FULL`: a commit that
returned survives kill -9 and power loss. One process owns the folder."""
