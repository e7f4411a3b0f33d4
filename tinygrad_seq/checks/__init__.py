"""Checks: gradients against finite differences, NaN and inf where they start."""
