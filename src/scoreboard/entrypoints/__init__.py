"""One folder a door. A door translates between its protocol and the application; what two doors share lives below."""
