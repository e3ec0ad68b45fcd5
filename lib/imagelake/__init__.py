"""imagelake: an image data lake. Every fact about every picture in Delta tables that anyone can query with SQL."""

__version__ = "0.1.0"
