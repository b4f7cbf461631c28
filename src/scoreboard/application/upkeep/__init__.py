"""Background jobs: repair, drift check, rebuild, retention, trim, event delivery."""
