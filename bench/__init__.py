"""The benchmark of the product against limits in the same run."""
