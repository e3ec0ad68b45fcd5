"""One DDL file per Delta table: the only place where columns are listed."""
