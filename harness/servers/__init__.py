"""Real third-party servers, on free ports, in folders of their own, stopped by pid."""
