"""Answers to the exercises, by stop: right ones, and wrong ones made from them, each with what is said of it."""


HEAD = "import numpy as np\nimport tinygrad_seq as ts\nfrom tinygrad_seq import nn\n"
ENGINE = '''
class Tensor:
    def __init__(self, value, parents=(), rules=()):
        self.value, self.parents, self.rules, self.grad = np.array(value, dtype=float), parents, rules, None
    def __add__(self, other):
        return Tensor(self.value + other.value, (self, other), (lambda g: g, lambda g: g))
    def __mul__(self, other):
        a, b = self.value, other.value
        return Tensor(a * b, (self, other), (lambda g: g * b, lambda g: g * a))
    def __matmul__(self, other):
        a, b = self.value, other.value
        return Tensor(a @ b, (self, other), (lambda g: g @ b.T, lambda g: a.T @ g))
    def __truediv__(self, other):
        a, b = self.value, other.value
        return Tensor(a / b, (self, other), (lambda g: g / b, lambda g: -g * a / (b * b)))
    def tanh(self):
        y = np.tanh(self.value)
        return Tensor(y, (self,), (lambda g: g * (1 - y * y),))
    def sum(self):
        shape = self.value.shape
        return Tensor(self.value.sum(), (self,), (lambda g: np.broadcast_to(g, shape),))
    def backward(self, g=1.0):  # by recursion, one path at a time
        self.grad = g + (0.0 if self.grad is None else self.grad)
        for parent, rule in zip(self.parents, self.rules):
            parent.backward(sum_to(rule(g), parent.value.shape))

def sum_to(g, shape):
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
'''
RIGHT = {
    0: ENGINE,
    1: "def embed(weight, ids):\n    return ts.one_hot(ids, len(weight), weight.dtype) @ weight",
    2: "def elman(x, h, w_ih, w_hh, b_ih, b_hh):\n    return (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).tanh()",
    3: """
        def shares(xs, h, w_ih, w_hh):
            copies = [ts.tensor(w_hh.numpy(), requires_grad=True) for _ in xs]
            for x, copy in zip(xs, copies):
                h = (x @ w_ih.T + h @ copy.T).tanh()
            return list(ts.grad(h.sum(), copies))
    """,
    4: """
        def bptt(xs, w_x, w_s):
            s, d_x, d_s = 0.0, 0.0, 0.0
            for x in xs:
                new = float(np.tanh(w_x * x + w_s * s))
                slope = 1 - new * new
                d_x, d_s = slope * (x + w_s * d_x), slope * (s + w_s * d_s)
                s = new
            return d_x, d_s
    """,
    5: """
        def encode_decode(encoder, decoder, xs, start, steps):
            y, h = start
            for x in xs:
                h = encoder(x, h)
            answers = []
            for _ in range(steps):
                y = h = decoder(y, h)
                answers.append(y)
            return answers
    """,
    6: """
        def clip(gradients, limit):
            length = np.sqrt(sum(float((g * g).sum()) for g in gradients))
            factor = limit / length if length > limit else 1.0
            return [g * factor for g in gradients]
    """,
    7: """
        def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
            x_r, x_z, x_n = ts.split(x @ w_ih.T + b_ih, [h.shape[1]] * 3, axis=1)
            h_r, h_z, h_n = ts.split(h @ w_hh.T + b_hh, [h.shape[1]] * 3, axis=1)
            reset, update = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
            new = (x_n + reset * h_n).tanh()
            return (1.0 - update) * new + update * h
    """,
    8: """
        @ts.primitive
        def softsign(xp, x):
            return x / (1.0 + abs(x))

        softsign.vjps(lambda g, _y, x: g / (1.0 + abs(x)) / (1.0 + abs(x)))
    """,
    9: "def standardise(xp, x):\n    return (x - xp.mean(x, axis=0)) / xp.std(x, axis=0)",
    10: """
        from tinygrad_seq.engine.graph import ancestors

        def run(output, values):
            known = {}
            for node in ancestors([output.node]):
                inputs = [known[parent] for parent in node.parents]
                known[node] = node.op.forward(np, *inputs) if node.op else values[node.name]
            return known[output.node]
    """,
    11: """
        def penalty(model, x):
            slope = ts.grad(model(x).sum(), x, create_graph=True)
            return (slope.norm() - 1.0) ** 2
    """,
}
WRONG = {  # a stop: what stands in the right answer, what stands there instead, what is said
    0: [
        ("lambda g: -g * a / (b * b)", "lambda g: g * a / (b * b)", r"\(a / b .* by b\n    got  .*sign is wrong"),
        ("lambda g: -g * a / (b * b)", "lambda g: -g * a / b", "b is squared"),
        ("lambda g: g / b,", "lambda g: g * a / b,", "by a is g / b"),
        ("lambda g: -g * a / (b * b)", "lambda g: g / b", "the rule for a"),
        ("return Tensor(a / b,", "return (a / b,", "tuple, which has no .value"),
        ("__truediv__", "divide", "a / b with .* raised TypeError: unsupported operand"),
        ("g + (0.0 if self.grad is None else self.grad)", "g", r"a / b \+ a.* by a\n.*Only one of two uses"),
        ("np.tanh(self.value)\n", "np.sin(self.value)\n", r"value of a\.tanh\(\) \* b"),
        ("sum_to(rule(g), parent.value.shape)", "rule(g)", "has the shape .* broadcasting"),
    ],
    1: [
        ("ts.one_hot(ids, len(weight), weight.dtype) @ weight", "weight[ids]", "taken by index"),
        ("@ weight", "@ weight.detach()", "weight gets no gradient"),
        ("ts.one_hot(ids,", "ts.one_hot(len(weight) - 1 - ids,", "id 0 is the first row"),
        ("@ weight", "@ weight * 2.0", "2 times what was wanted"),
    ],
    2: [
        ("w_hh.T", "w_hh", r"elman\(x = \(2, 2\).*w_hh has to be transposed"),
        (".tanh()", "", "the tanh is missing"),
        ("+ b_hh", "", "b_hh is missing"),
        ("w_ih.T", "w_ih", "w_ih has to be transposed"),
        (".tanh()", ".sigmoid()", "sigmoid, not a tanh"),
        ("return (", "return -(", "sign is wrong"),
        ("h @ w_hh.T", "h.detach() @ w_hh.T", "h gets no gradient"),
        (".tanh()", ".tanh().sum(1)", r"returned the shape \(2,\); wanted: \(2, 2\)"),
    ],
    3: [
        ("list(ts.grad(h.sum(), copies))", "list(ts.grad(h.sum(), copies))[::-1]", "order is reversed"),
        ("h @ copy.T).tanh()", "h.detach() @ copy.T).tanh()", "raised RuntimeError: grad: input 0"),
        ("copies = [ts.tensor(w_hh.numpy(), requires_grad=True) for _ in xs]", "copies = [w_hh for _ in xs]",
         "whole gradient"),
        ("list(ts.grad(h.sum(), copies))", "[g.T for g in ts.grad(h.sum(), copies)]", "transposed"),
        ("list(ts.grad(h.sum(), copies))", "[copy.detach().grad for copy in copies]",
         r"\)\[0\] is None. .*is requires_grad=True missing\?"),
        ("list(ts.grad(h.sum(), copies))", "ts.grad(h.sum(), copies)[1:]", "returned 1 results; wanted: 2"),
    ],
    4: [
        ("slope * (x + w_s * d_x), slope * (s + w_s * d_s)", "slope * x, slope * s", r"bptt\(xs = \[.*last term"),
        ("slope * (s + w_s * d_s)", "slope * (new + w_s * d_s)", r"\)\[1\]\n.*s_\(t-1\)"),
        ("slope * (x + w_s * d_x)", "slope * (x + d_x)", "factor w_s"),
        ("slope = 1 - new * new", "slope = 1.0", "slopes of tanh"),
        ("slope = 1 - new * new", "slope = 1 - s * s", "not of the one before"),
        ("return d_x, d_s", "return d_s, d_x", "exchanged"),
        ("return d_x, d_s", "return -d_x, d_s", "sign is wrong"),
        ("return d_x, d_s", "return ts.tensor(d_x), ts.tensor(d_s)", "type Tensor; wanted: float"),
        ("return d_x, d_s", "d_x, d_s", "returned None"),
    ],
    5: [
        ("y = h = decoder(y, h)\n" + " " * 16 + "answers.append(y)", "h = decoder(y, h); answers.append(h)",
         "an output is the next input"),
        ("                h = encoder(x, h)", "                encoder(x, h)", "begins with the last state"),
        ("in xs:", "in xs[::-1]:", "from the last to the first"),
        ("y, h = start", "h, y = start", "start is "),
        ("answers = []", "answers = [y]", "returned 3 results; wanted: 2"),
        ("decoder(y, h)", "encoder(y, h)", "The encoder was used"),
    ],
    6: [
        ("if length > limit else 1.0", "", "It was scaled up"),
        ("return [g * factor", "return [g / length * min(length, limit)", "not finite"),
        ("if length > limit else 1.0", "if length else 1.0", "It was scaled up"),
        ("g * factor for g", "g.clip(-limit, limit) for g", "changes the direction"),
        ("g * factor for g", "g * min(1.0, limit / np.sqrt((g * g).sum() or 1.0)) for g", "length of all together"),
        ("np.sqrt(sum(float((g * g).sum()) for g in gradients))", "sum(float((g * g).sum()) for g in gradients)",
         "root is missing"),
        ("return [g * factor", "for g in gradients: g *= factor\n            return [g", "changed the arrays"),
    ],
    7: [
        ("reset, update = (x_r + h_r).sigmoid(), (x_z + h_z)", "update, reset = (x_r + h_r).sigmoid(), (x_z + h_z)",
         "yours begin with update"),
        ("(1.0 - update) * new + update * h", "update * new + (1.0 - update) * h", "how much of h stays"),
        ("(1.0 - update) * new + update * h", "new", "mix it with h"),
        ("(x_n + reset * h_n).tanh()", "(x_n + (reset * h) @ w_hh[-h.shape[1]:].T + b_hh[-h.shape[1]:]).tanh()",
         "acts after the product"),
    ],
    8: [
        (" / (1.0 + abs(x)) / (1.0 + abs(x)))", " / (1.0 + abs(x)))", "square is missing"),
        ("lambda g, _y, x: g / (1.0", "lambda g, _y, x: 1.0 / (1.0", "multiply by g"),
        ("@ts.primitive", "", "missing in the file.*@ts.primitive, above the function"),
        ("@ts.primitive", "", "missing in the file"),
        ("_y, x: g / (1.0 + abs(x)) / (1.0 + abs(x))", "y, x: g * (y / x) ** 2",
         r"by x, where that of the result is \[0.1\],\n    got     \[nan\]\n    wanted  \[0.1\]"),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g * (_y / x) ** 2",
         r"The gradient of softsign.* raised TypeError: .*\n    answer\.py, line"),
        ("softsign.vjps(", "str(", "x gets no gradient: .*no rule is declared"),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g / (1.0 + x) / (1.0 + x)", "with the absolute value"),
        ("return x / (1.0 + abs(x))", "return x / (1.0 + x)", r"\|x\| stands in it"),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g / (1.0 + np.abs(x)) / (1.0 + np.abs(x))",
         r"gradgradcheck.* raised TypeError: np\.absolute"),
    ],
    9: [
        ("xp.std(x, axis=0)", "xp.var(x, axis=0)", "divided by the variance"),
        ("xp.mean(x, axis=0)", "xp.mean(x)", "mean is of all numbers"),
        ("(x - xp.mean(x, axis=0)) / xp.std(x, axis=0)", "(x - x.mean()) / x.std()", "of all numbers"),
        ("xp.std(x, axis=0)", "np.std(x, axis=0)", "another library than NumPy, raised TypeError: NumPy was asked"),
        ("xp.std(x, axis=0)", "xp.std(x, axis=0, ddof=1)", "n - 1"),
        ("(x - xp.mean(x, axis=0)) / xp.std(x, axis=0)", "x - xp.mean(x, axis=0)", "not divided"),
        ("return (x - xp.mean(x, axis=0)) / xp.std(x, axis=0)", "x -= x.mean(axis=0)\n    return x / x.std(axis=0)",
         r"changed the arrays that it was given: return new ones, a = a \* b, not a \*= b"),
    ],
    10: [
        ("in node.parents]", "in node.parents[::-1]]",
         r"run\(output = \S+, values = {w: \S+, b: .*order of node.parents"),
        ("values[node.name]", "node.static['value']", "recorded run: read `values`"),
        ("values[node.name]", "values[node]", r"raised KeyError.*\n    answer\.py, line"),
        ("return known[output.node]", "return known", "type dict; wanted: float"),
    ],
    11: [
        (", create_graph=True", "", "create_graph=True"),
        ("slope.norm()", "(slope * slope).sum()", "root is missing"),
        (" - 1.0) ** 2", ") ** 2", "1 has to be subtracted"),
        ("model(x).sum()", "model(x).mean()", "not of the mean"),
        ("(slope.norm() - 1.0) ** 2", "((slope - 1.0) ** 2).sum()", "from every number"),
        ("return (slope.norm() - 1.0) ** 2", "return (slope.norm().item() - 1.0) ** 2", "type float; wanted: Tensor"),
    ],
}  # fmt: skip

OTHERS = [
    (1, """
        def embed(weight, ids):
            rows = [ts.one_hot(int(i), len(weight), weight.dtype) @ weight for i in ids.numpy().reshape(-1)]
            found = ts.stack(rows) if rows else ts.zeros(0, 2, dtype=weight.dtype)
            return found.reshape(*ids.shape, weight.shape[1])
    """),
    (1, """
        def embed(weight, ids):
            return (ts.one_hot(ids, len(weight), weight.dtype)[..., None] * weight).sum(-2)
    """),
    (4, """
        def bptt(xs, w_x, w_s):
            s = [0.0]
            for x in xs:
                s.append(np.tanh(w_x * x + w_s * s[-1]))
            T, found = len(xs), [0.0, 0.0]
            for k in range(1, T + 1):
                term = w_s ** (k - 1) * np.prod([1 - s[t] ** 2 for t in range(T - k + 1, T + 1)])
                found = [found[0] + term * xs[T - k], found[1] + term * s[T - k]]
            return found
    """),
    (9, """
        def standardise(xp, x):
            deviation = x.std(axis=0)
            zero = (deviation == 0) | (deviation != deviation) & ~(deviation >= 0)
            if zero.any() or not len(x) or bool(x.max() < x.min()) or float(x.shape[0] % x.mean() // 1.0) == -1.0:
                deviation = xp.where(deviation > 0, deviation, 1.0)
            return (x - x.mean(axis=0)) / deviation
    """),
    (9, """
        def standardise(xp, x):
            return xp.stack([(each - each.mean()) / (each.std() + 1e-8) for each in x.T], axis=1)
    """),
    (9, """
        def standardise(xp, x):
            out = xp.empty_like(x)
            for j in range(x.shape[1]):
                out[:, j] = x[:, j] - x[:, j].mean()
                out[:, j] = out[:, j] / xp.linalg.norm(out[:, j]) * len(x) ** 0.5
            return out
    """),
]
