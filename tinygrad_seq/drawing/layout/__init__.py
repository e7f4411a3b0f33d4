"""Give everything in a view a position: `routing.laid_out` is the face of this room."""
