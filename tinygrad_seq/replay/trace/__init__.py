"""What a function does, written on a tape, and what a program may take for granted of what is around it."""
