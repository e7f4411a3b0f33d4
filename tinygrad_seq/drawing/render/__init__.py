"""A layout as text: SVG, DOT, JSON."""
