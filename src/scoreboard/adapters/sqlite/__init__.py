"""The ledger, receipts and directory in one file of the data folder.

The write-ahead log with `synchronous=FULL` makes every returned commit survive kill -9 and power loss. One process owns
the folder.
"""
