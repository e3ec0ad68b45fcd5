"""Polite HTTP: what a picture or a page of results costs its server is bounded, and every attempt is accounted for."""
