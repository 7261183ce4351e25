"""Exporting every model that the zoos' configs swap to, and every recipe of our own."""
