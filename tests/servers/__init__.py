"""Servers on loopback that behave as the real ones do: Europeana, Flickr, hosts of pictures; faults on request."""
