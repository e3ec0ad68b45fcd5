"""Statements for curation; parameters are bound with --param."""
