"""Names that a picture goes by, all in one place.

A recorded graph knows ops and names, but not what anybody meant by them. To tell a state from a gate, an input from a
weight, or a weight that was only rearranged from a result, a picture relies on how layers here and in textbooks are
written. A graph that uses other names is drawn in full all the same; only its colours and proxies are plainer.
"""

states = frozenset({"h", "c"})  # what layers call their states; before the first step "h0", "c0"
ordered = frozenset({"subtract", "divide", "power", "matmul"})  # a op b is not b op a
in_order = ordered | {"concatenate"}  # and [a, b] is not [b, a]
places = {("direction", "reverse"): "reverse: from the last step"}  # what is said of them
squashing = frozenset({"sigmoid", "tanh", "relu", "clip"})  # what makes the numbers of a gate, or of a candidate
weighing = frozenset({"add", "subtract", "negative", "part"})  # a gate may go through these to where it multiplies
from_loss = "from the loss"  # the gradient that a recorded backward begins with
input_name = "x"  # a leaf of this name is an input, however many places read it
slicing = ("getitem", "unstack")  # a leaf that is only read by these is a sequence, so an input
rearranging = frozenset({"transpose", "contiguous", "cast", "transfer"})  # the same numbers in another layout
joining = frozenset({"concatenate", "stack", "add"})  # where inputs stand beside results, as in [x, h]
not_inputs = ("mask", "weight", "bias", "pos_weight", "1 −")  # how names of constants begin
preparing = rearranging | {"add", "split", "part", "reshape", "broadcast_to", "getitem"}  # done once, before the steps
remade = preparing - {"split", "part", "getitem"}  # of a weight in every step, as a cell does that is called alone
same_numbers = frozenset({"stack", "unstack", "split", "part", "getitem", "reshape"})  # where they give just as many
symbols = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "power": "^",
    "sqrt": "√", "sigmoid": "σ", "sum": "Σ", "transpose": "T", "getitem": "[ ]", "take": "look up",
    "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "=", "not_equal": "≠",
    "logsumexp": "log Σ exp", "log_softmax": "log softmax", "sum_to": "Σ rows", "broadcast_to": "broadcast",
    "scatter_rows": "scatter rows", "concatenate": "concat",
    "checkpoint": "recomputed", "bitwise_and": "and", "bitwise_or": "or", "invert": "not",
}  # fmt: skip
