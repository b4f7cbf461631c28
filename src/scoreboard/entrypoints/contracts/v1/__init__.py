"""The `/v1` contract."""
