"""Curation: nearest neighbours, figures of the report."""
