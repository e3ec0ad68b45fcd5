"""From the bytes of a file to upright sRGB pixels: sniff, read the header, decode once."""
