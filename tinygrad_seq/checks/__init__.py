"""Checks: gradients compared with finite differences; NaN and inf found where they start."""
