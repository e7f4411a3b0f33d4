"""The walk: run the rules of a graph, newest node first.

The gradient of a node is complete once all its users have run: then its rules run, and what they return is added to
the parents, in their dtypes. Broadcasting is undone on the way, in one place. Rules run on raw arrays, or on Tensors
(`create_graph=True`), in which case the walk is recorded like any computation.
"""

from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from tinygrad_seq.engine.backend import check_device, host, keeping_device, use_device_of
from tinygrad_seq.engine.freed_graph import in_use
from tinygrad_seq.engine.graph import Node, Value
from tinygrad_seq.engine.op import Primitive
from tinygrad_seq.engine.ops.shape import cast, sum_to, transfer
from tinygrad_seq.engine.primitive import part
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import Scope, current, place_of

Use = tuple[Node, Any]  # a node and its complete gradient
Observer = Callable[[list[Use], Node, Any], None]
new_walk = count().__next__


class GradientOf(NamedTuple):
    """The value of a "grad" scope: the node that ops of a recorded walk belong to, by its serial number.

    They make its gradient, where that is a sum, and the gradients that its rules give to its parents.
    """

    walk: int
    serial: int

    def __str__(self) -> str:
        return "recorded"  # all of a place are drawn in one cluster


@keeping_device
def walk(
    nodes: list[Node],
    start: dict[Node, Any],
    recorded: bool,
    wanted: Iterable[Node] = (),
    observe: Observer | None = None,
    hooks: bool = True,
    ends: Set[Node] = frozenset(),
) -> dict[Node, Any]:
    """Run the rules of the nodes, newest first; return the gradients of leaves, wanted and retained nodes among them.

    `wanted`: further nodes whose gradients to return. `observe(uses, parent, contribution)` hears what each rule gives
    to a parent, in whatever dtype: of one use of it, or of several where the rule is a merged one. `hooks`: whether
    they are called. `ends`: nodes at which the walk ends, and returns what has arrived there, before hooks.
    """
    wanted = frozenset(wanted)
    gradients: dict[Node, Any] = dict.fromkeys(nodes)  # parents that are no keys here are skipped
    gradients.update(start)
    waiting: dict[Node, dict[Any, list[Use]]] = {}  # by parent: uses that one merged rule adds up
    summed: set[Node] = set()  # parents whose gradient is a sum made here, free to be added to in place
    found: dict[Node, Any] = {}
    here, number = current.get(), new_walk() if recorded else 0
    traced = any(hasattr(g, "label") for g in start.values())  # then the gradients get names, for the program's text
    for node in reversed(nodes):
        g = gradients.pop(node)
        if recorded:
            current.set(Scope(node.scope, "grad", GradientOf(number, node.serial), here.recording))

        # Merged uses: all users of this node have run, so the uses that wait for it are complete.
        if waiting and node in waiting:
            for op, uses in waiting.pop(node).items():
                if type(uses[0][1]) is not host.ndarray:
                    use_device_of(uses[0][1])
                try:
                    merged = op.merge(node, uses)
                except Exception as error:
                    say_where(error, uses[0][0])
                    raise
                if op is not part.op and getattr(merged, "shape", None) != node.shape:
                    raise misfit(op, 0, node, merged)
                if observe is not None:
                    observe(uses, node, merged)
                if op is not part.op and merged.dtype is not node.dtype:
                    merged = in_dtype_of(op, 0, node, merged)
                g = merged if g is None else g + merged
        if g is None:
            continue
        if type(g) is not host.ndarray:
            use_device_of(g)
        if ends and node in ends:
            found[node] = g
            continue
        op = node.op
        if traced and node.name is not None:
            g.label = f"d_{node.name}"
        if node.hooks is not None and hooks:
            g = hooked(node, g, recorded, nodes)
        if op is None or node.owner_ref is not None or (wanted and node in wanted):
            found[node] = g
            if op is None:
                continue
        parents = node.parents
        if op.merge is not None:
            if parents[0] in gradients:
                waiting.setdefault(parents[0], {}).setdefault(op, []).append((node, g))
            continue

        # Rules: one for each argument, or a joint rule that gives the gradients of all.
        y, static = node.output, node.static
        saved: Any = node.saved
        if recorded:
            y = None if y is None else make_tensor(y, node)
            saved = [kept if isinstance(kept, Node) else make_tensor(kept, of) for kept, of in zip(saved, parents)]
        arity, rules = op.arity, op.rules
        if op.joint is not None:
            try:
                rules, arity, static = op.joint(g, y, *saved, **(static or {})), 0, None
            except Exception as error:
                say_where(error, node)
                raise
            if not isinstance(rules, list | tuple) or len(rules) != len(parents):
                raise TypeError(f"{op.name}: its rule must give {len(parents)} gradients, got {rules!r:.60}")
        i = -1
        for parent in parents:  # spelt out rather than zipped and unpacked: most of a small network's time is here
            i += 1
            rule = rules[i]
            if rule is None or parent not in gradients:
                continue
            try:
                if static is not None or arity > 2:
                    contribution = rule(g, y, *saved, **(static or {}))
                elif arity == 1:
                    contribution = rule(g, y, saved[0])
                elif arity == 2:
                    contribution = rule(g, y, saved[0], saved[1])
                else:
                    contribution = rule  # what the joint rule gave
            except Exception as error:
                say_where(error, node, i)
                raise
            try:
                if contribution.shape != parent.shape:
                    contribution = sum_to(contribution, shape=parent.shape)
            except (AttributeError, ValueError) as error:
                raise misfit(op, i, parent, contribution) from error
            if observe is not None:
                observe([(node, g)], parent, contribution)
            if contribution.dtype is not parent.dtype:
                contribution = in_dtype_of(op, i, parent, contribution)

            # Accumulation: in place only where the old sum was made here, so that nobody else holds it.
            old = gradients[parent]
            if old is not None and op is transfer.op and not recorded:
                use_device_of(old)
            if old is None:
                gradients[parent] = contribution
            elif parent in summed:
                old += contribution
                gradients[parent] = old
            elif recorded:
                inside = current.get()
                current.set(Scope(node.scope, "grad", GradientOf(number, parent.serial), here.recording))
                gradients[parent] = old + contribution
                current.set(inside)
            else:
                gradients[parent] = old + contribution
                summed.add(parent)
    return found


def in_dtype_of(op: Primitive, i: int, parent: Node, g: Any) -> Any:
    """Return a gradient in the dtype of its node, so that one wide array does not widen all that is behind it."""
    if g.dtype.kind == "c":  # the imaginary part would be lost
        raise misfit(op, i, parent, g, "dtype")
    return g if g.dtype == parent.dtype else cast(g, dtype=parent.dtype)


def misfit(op: Primitive, i: int, parent: Node, got: Any, what: str = "shape") -> TypeError:
    """Return the error for a rule whose gradient has another shape than its argument, and no sum over it has that."""
    found = f"one of {getattr(got, what)}" if hasattr(got, what) else f"{got!r:.60}"
    wanted = f"a gradient of {what} {getattr(parent, what)}"
    return TypeError(f"{op.name}: its rule for argument {i} must give {wanted}, got {found}")


def say_where(error: Exception, node: Node, i: int | None = None) -> None:
    """Add to an error which rule raised it, as a note; errors of a type of ours say enough."""
    if not type(error).__module__.startswith("tinygrad_seq"):
        argument = "" if i is None else f" for argument {i}"
        with suppress(Exception):  # of an error that takes none
            error.add_note(f"{node.op.name}: in its gradient rule{argument} ({place_of(node.scope.path())})")


def hooked(node: Node, g: Any, recorded: bool, nodes: list[Node]) -> Any:
    """Return the gradient after the node's hooks, each of which may give a new one; `nodes` are in use meanwhile."""
    around = in_use.get()
    in_use.set((*around, nodes))
    try:
        for hook in list((node.hooks or {}).values()):
            answer = hook(g if recorded else make_tensor(g))
            if answer is not None:
                if not isinstance(answer, Value) or answer.array.shape != node.shape:
                    raise ValueError(
                        f"register_hook: the hook returned {answer!r:.60}, expected None or a Tensor of shape "
                        f"{node.shape}"
                    )
                old = g.array if recorded else g
                check_device("register_hook", "what the hook returned", answer.array, "the gradient", old)
                g = answer.to(node.dtype)  # type: ignore[attr-defined]
                g = g if recorded else g.array
    finally:
        in_use.set(around)
    return g
