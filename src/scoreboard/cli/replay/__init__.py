"""`scoreboard replay`: the rows of a file, sent as updates in the order of the file, each counted once."""
