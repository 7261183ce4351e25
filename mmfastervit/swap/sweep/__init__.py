"""Swapping every config of the installed zoos."""
