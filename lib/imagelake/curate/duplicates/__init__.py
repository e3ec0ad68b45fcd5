"""Duplicates: layers, pairs, groups with a keeper; thresholds calibrated on planted copies."""
