"""The ledger, receipts and directory in PostgreSQL, shared by several processes.

Row locks serialize the updates of a player. A returned commit is on disk.
"""
