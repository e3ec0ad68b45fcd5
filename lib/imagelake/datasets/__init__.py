"""Named data sets: leak-free splits, versions, export."""
