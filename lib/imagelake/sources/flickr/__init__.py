"""Flickr: photos by search, by group, by id, and archives of the crawler."""
