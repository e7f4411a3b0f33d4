"""From equations to fewer equations, and to loops: each pass reads a program and returns one."""
