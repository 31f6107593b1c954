"""A finished run's student over HTTP."""
