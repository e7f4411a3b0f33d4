"""Checks: gradients compared with finite differences, two devices compared, NaN and inf found where they start."""
