"""Where both sides are joined: settings, backends, lifecycles. The only place that knows every room."""
