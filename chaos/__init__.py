"""Kill -9 of every process and server under load, again and again, and what became of every update."""
