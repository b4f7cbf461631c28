"""What operators do: tenants, repair, season turns, verification."""
