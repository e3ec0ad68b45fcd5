"""SQL statements, one per file."""
