"""The path of an update: submit, commit, and what lies between."""
