"""Saving and loading without pickle."""
