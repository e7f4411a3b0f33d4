"""The public functions that check and complete their arguments, and then say it in the ops of `engine/ops`.

Most names here stand in `engine/ops`, too, as in JAX's numpy and lax: here is the function that users call, there the
op that it records. Ops that need no such check (tanh, add, where) are public as they are.
"""
