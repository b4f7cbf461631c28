"""Settings, backends, wiring and lifecycle; this package imports all others."""
