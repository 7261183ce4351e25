"""Data sets: drawn ones, a folder of one's own, and published ones as people unpack them."""
