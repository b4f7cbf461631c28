"""Use cases of apps, boards, actions and players."""
