"""The benchmark suite: each figure of the product beside its limit, measured in the same run (`python -m bench`)."""
