-- Forget a table.

wiped()
return 1
