"""Data sets that the examples and tests train on."""
