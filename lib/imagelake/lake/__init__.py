"""Storage: table definitions, fragments and commits, pending work, blobs, the SQL session."""
