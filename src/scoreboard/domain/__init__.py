"""Values and rules without await, clock or I/O.

They import only the standard library.
"""
