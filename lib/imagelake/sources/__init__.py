"""Where pictures come from: folders, archives, object stores and lists of paths."""
