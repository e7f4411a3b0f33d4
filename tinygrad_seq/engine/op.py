"""An op: its forward, and its gradient rules (VJPs). How it is called is in primitive.py."""

import inspect
from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.callers import warn
from tinygrad_seq.engine.hints import package

Rule = Callable[..., Any] | None


class Primitive:
    """An op: name, forward and rules.

    `keep[mask]` says what to save when the arguments in `mask` (bit i: argument i) need gradients: the output, and each
    argument. It is None where none of them has a rule, so that there is nothing to record.
    """

    part: "Primitive"  # the op of one output among several

    def __init__(self, forward: Callable[..., Any]) -> None:
        names = inspect.signature(forward).parameters.values()
        positional = [p for p in names if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in names)
        if len(positional) + self.variadic < 2:
            raise TypeError("primitive: the forward of an op takes (xp, x, ...), at least one array")
        if any(p.default is not p.empty for p in positional):
            raise TypeError(
                f"primitive: the arrays that {forward.__name__} takes cannot have defaults; what is no array stands "
                "behind a star: (xp, x, *, scale=2.0)"
            )
        self.name = forward.__name__.removeprefix("reduce_")  # sum, max and min are Python's names too
        self.forward = forward
        self.names = [p.name for p in positional[1:]]  # `xp` comes first
        self.arity = len(self.names)
        self.static = [p.name for p in names if p.kind is p.KEYWORD_ONLY]
        self.rules: tuple[Rule, ...] = ()
        self.hides_history = False  # whether it was made of more than its parents; its rule then raises
        self.joint: Rule = None  # one rule that returns the gradients of all arguments
        self.merge: Rule = None  # one rule for all uses of the same argument
        # an op of this package without rules has no gradient, on purpose; of others it may be forgotten
        self.declared = str(forward.__module__).partition(".")[0] == package
        self.zeros_for_unused = True  # whether a rule of several outputs gets zeros, else None, for those without use
        self.keep: list[tuple[bool, ...] | None] = [None] * (1 << self.arity)

    def vjps(self, *rules: Rule) -> None:
        """Declare a rule `(g, y, *arguments, **static) -> gradient` for each argument; None: not differentiable.

        With the gradient g of the output y, the rule of argument i returns g times dy/dx_i, summed over y: the
        vector-Jacobian product, of the shape of x_i or of one that broadcasts from it. Of an op of several outputs g is
        a list, with zeros for those that were not used, and y cannot be read. Raises TypeError for another number of
        rules, or rules with other arguments.

        >>> import tinygrad_seq as ts
        >>> @ts.primitive
        ... def scaled(xp, x, scale):
        ...     return x * scale
        >>> scaled.vjps(lambda g, _y, _x, scale: g * scale, lambda g, _y, x, _scale: g * x)
        >>> scale = ts.tensor(3.0, requires_grad=True)
        >>> ts.grad(scaled(ts.tensor([1.0, 2.0]), scale).sum(), scale)
        tensor(3.)
        """
        if self.variadic:
            raise TypeError(f"{self.name}: it takes any number of arrays: declare one rule for all with joint_vjp")
        if len(rules) != self.arity:
            raise TypeError(f"{self.name}: {self.arity} arguments need {self.arity} rules, got {len(rules)}")
        reads = [self.saved_by(rule) for rule in rules]
        self.rules, self.declared = rules, True
        for mask in range(1 << self.arity):
            asked = [reads[i] for i, rule in enumerate(rules) if rule is not None and mask >> i & 1]
            self.keep[mask] = tuple(any(flags) for flags in zip(*asked)) if asked else None

    def warn_of_no_rule(self, out: Any) -> None:
        """Warn once of an op without rules where a gradient ends; not where it made integers, which have none."""
        if any("float" in str(getattr(array, "dtype", "")) for array in (out if isinstance(out, list) else [out])):
            self.declared = True
            how = "joint_vjp(...)" if self.variadic else f"vjps({', '.join(['...'] * self.arity)})"
            warn(
                f"{self.name}: the gradient ends here, for this op has no rule: declare {self.name}.{how}, with None "
                "for an argument that has no gradient"
            )

    def saved_by(self, rule: Rule) -> list[bool]:
        """Return which of (y, *arguments) a rule reads, told by the names it gives them."""
        if rule is None:
            return [False] * (1 + self.arity)
        signature = inspect.signature(rule)
        try:
            signature.bind(*[None] * (2 + self.arity), **dict.fromkeys(self.static))
        except TypeError as error:
            wanted = ", ".join(["g", "y", *self.names, *self.static])
            raise TypeError(f"{self.name}: a rule takes ({wanted}), this one {signature}: {error}") from None
        return [not name.startswith("_") for name in list(signature.parameters)[1 : 2 + self.arity]]

    def joint_vjp(self, rule: Callable[..., Any]) -> None:
        """Declare one rule for all arguments, `(g, y, *arguments, **static) -> sequence of gradients`.

        It gets the arguments' Nodes, for their shapes and dtypes, and nothing is saved.

        >>> import tinygrad_seq as ts
        >>> @ts.primitive
        ... def total(xp, *pieces):
        ...     return sum(piece.sum() for piece in pieces)
        >>> total.joint_vjp(lambda g, _y, *pieces: [ts.broadcast_to(g, piece.shape) for piece in pieces])
        >>> x = ts.ones(2, requires_grad=True)
        >>> ts.grad(total(x, ts.ones(3)), x)
        tensor([1., 1.])
        """
        self.joint, self.declared = rule, True
        self.keep[1:] = [(False,) * (1 + self.arity)] * (len(self.keep) - 1)

    def merged_vjp(self, rule: Callable[..., Any]) -> None:
        """Declare one rule `(parent, uses) -> gradient` for all uses `(node, g)` of the same first argument.

        It is for ops that read a part of their argument, at many steps: the gradients of all uses are added into one
        buffer. The other arguments say where to look in the first: they have no gradient, and are saved.

        >>> import tinygrad_seq as ts
        >>> @ts.primitive
        ... def row(xp, x, *, index):
        ...     return x[index]
        >>> @row.merged_vjp
        ... def rows(parent, uses):
        ...     given = {node.static["index"]: g for node, g in uses}
        ...     zeros = ts.zeros(parent.shape[1:]).numpy()
        ...     return ts.stack([given.get(i, zeros) for i in range(parent.shape[0])])
        >>> x = ts.ones(3, 2, requires_grad=True)
        >>> ts.grad((row(x, index=0) * 2.0 + row(x, index=2)).sum(), x).tolist()
        [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]
        """
        self.merge, self.declared = rule, True
        self.keep[1::2] = [(False, False, *[True] * (self.arity - 1))] * (len(self.keep) // 2)

    @property
    def differentiable(self) -> bool:
        """Return whether any argument has a rule."""
        return self.joint is not None or any(kept is not None for kept in self.keep)

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"
