"""Europeana: records by search or by id, lists of data sets."""
