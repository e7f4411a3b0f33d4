"""What there is to see, from a recorded graph: plain data, the same in every process."""
