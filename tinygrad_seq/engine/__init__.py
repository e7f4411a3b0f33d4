"""Record a graph and differentiate it: arrays, nodes, ops, the walk, Tensors."""
