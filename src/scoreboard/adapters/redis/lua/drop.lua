-- Delete a table.

wiped()
return 1
