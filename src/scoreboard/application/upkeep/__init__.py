"""The work of jobs: repair, drift check, rebuild, retention, trim, season turns."""
