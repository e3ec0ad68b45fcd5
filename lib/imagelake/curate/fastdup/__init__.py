"""fastdup, in an environment of its own."""
