"""The report: figures from SQL, galleries of pictures."""
