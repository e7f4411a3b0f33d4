"""From loops to the text of functions over elements, which Numba compiles."""
