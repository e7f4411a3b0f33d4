"""From equations to the text of a Python function over whole arrays."""
