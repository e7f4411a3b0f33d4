"""The ops in mathematics: what each computes, and its gradient rules, as on a blackboard.

`x`, `y` and `p` are the arguments, `z` is the result of two and `y` that of one, and `g` is the gradient of the result.
`[x > 0]` is 1 where that holds, else 0. An elementwise op is written so that its numbers can be put in.
"""

Mathematics = tuple[str, tuple[str, ...]]  # the formula; and what goes back to each argument, "" for nothing

elementwise: dict[str, Mathematics] = {
    "add": ("z = x + y", ("g", "g")),
    "subtract": ("z = x − y", ("g", "−g")),
    "multiply": ("z = x · y", ("g · y", "g · x")),
    "divide": ("z = x / y", ("g / y", "−g · z / y")),
    "remainder": ("z = x mod y", ("g", "−g · ⌊x / y⌋")),
    "negative": ("y = −x", ("−g",)),
    "power": ("z = x ^ p", ("g · p · x ^ (p − 1)", "g · z · ln(x)")),
    "exp": ("y = exp(x)", ("g · y",)),
    "log": ("y = ln(x)", ("g / x",)),
    "sqrt": ("y = √(x)", ("g / (2 · y)",)),
    "sin": ("y = sin(x)", ("g · cos(x)",)),
    "cos": ("y = cos(x)", ("−g · sin(x)",)),
    "tanh": ("y = tanh(x)", ("g · (1 − y²)",)),
    "sigmoid": ("y = 1 / (1 + exp(−x))", ("g · y · (1 − y)",)),
    "softplus": ("y = ln(1 + exp(x))", ("g / (1 + exp(−x))",)),
    "relu": ("y = max(x, 0)", ("g · [x > 0]",)),
    "abs": ("y = max(x, −x)", ("g · ([x > 0] − [x < 0])",)),
    "maximum": ("z = max(x, y)", ("g · ([x > y] + ½ · [x = y])", "g · ([y > x] + ½ · [x = y])")),
    "minimum": ("z = min(x, y)", ("g · ([x < y] + ½ · [x = y])", "g · ([y < x] + ½ · [x = y])")),
    "contiguous": ("y = x", ("g",)),
    "cast": ("y = x", ("g",)),
    "transfer": ("y = x", ("g",)),
}
others: dict[str, Mathematics] = {
    "matmul": ("zᵢⱼ = Σₖ xᵢₖ · yₖⱼ", ("g · yᵀ", "xᵀ · g")),
    "sum": ("y = Σᵢ xᵢ", ("g, for every xᵢ",)),
    "max": ("y = maxᵢ xᵢ", ("g · [xᵢ = y], shared by ties",)),
    "min": ("y = minᵢ xᵢ", ("g · [xᵢ = y], shared by ties",)),
    "norm": ("y = (Σᵢ |xᵢ|^ord) ^ (1 / ord)", ("g · sign(xᵢ) · (|xᵢ| / y) ^ (ord − 1)",)),
    "logsumexp": ("y = ln Σᵢ exp(xᵢ)", ("g · exp(xᵢ − y)",)),
    "log_softmax": ("yᵢ = xᵢ − ln Σₖ exp(xₖ)", ("gᵢ − exp(yᵢ) · Σₖ gₖ",)),
    "clip": ("y = min(max(x, low), high)", ("g · [low ≤ x ≤ high]",)),
    "where": ("z = x where the condition holds, else y", ("", "g where it holds, else 0", "0 where it holds, else g")),
    "reshape": ("y = x, in another shape", ("g, in the shape of x",)),
    "transpose": ("y = xᵀ", ("gᵀ",)),
    "flip": ("yᵢ = xₙ₋₁₋ᵢ", ("g, flipped back",)),
    "broadcast_to": ("y = x, repeated", ("the sum of g over the repeats",)),
    "sum_to": ("y = the sum of x over repeats", ("g, repeated",)),
    "pad": ("y = x, with a rim", ("g, without the rim",)),
    "unpad": ("y = x, without its rim", ("g, with a rim of zeros",)),
    "split": ("y₁, y₂, … = the parts of x", ("(g₁, g₂, …), joined",)),
    "unstack": ("y₁, y₂, … = the rows of x", ("(g₁, g₂, …), stacked",)),
    "concatenate": ("z = (x₁, x₂, …), joined", ("to each xᵢ its part of g",)),
    "stack": ("z = (x₁, x₂, …), stacked", ("to each xᵢ its row of g",)),
    "getitem": ("y = x[index]", ("g at the index, 0 elsewhere",)),
    "scatter": ("z = 0, with xᵢ added at its index", ("to each xᵢ g[index]",)),
    "take": ("y = x[ids]", ("row i: the sum of g over all places where the id is i", "")),
    "scatter_rows": ("y = 0, with each row added at its id", ("g[ids]", "")),
}
mathematics = elementwise | others
