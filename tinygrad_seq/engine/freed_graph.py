"""Explain why a backward cannot go through a graph that another one has freed, or must not free a graph.

The usual cause is a state carried from one call of a layer to the next without `detach`. The first backward frees its
graph, so going through it again from a later call is an error. With retain_graph=True it is legal, but every backward
then goes back to the first call, each slower than the last: that is worth a warning. A graph may also be freed while
a backward goes through it: by a hook, which is refused, or by another thread.
"""

from contextvars import ContextVar

from tinygrad_seq.engine.callers import warn
from tinygrad_seq.engine.graph import Node, between, by_serial, new_serial
from tinygrad_seq.engine.scope import Scope, place_of

in_use: ContextVar[tuple[list[Node], ...]] = ContextVar("in_use", default=())  # by walks whose hook runs


def call_of(node: Node) -> Scope | None:
    """Return the call that made a node: the scope of the innermost module outside all steps."""
    found = None
    for link in node.scope.links():
        if link.key == "step":
            found = None
        elif link.key == "module" and found is None:
            found = link
    return found


def undetached_state(nodes: list[Node], earlier: set[Scope | None], since: int = 0) -> str | None:
    """Return a sentence that names a layer whose state was not detached since earlier calls, or None.

    `since`: a serial number; only calls made after it count as later calls.
    """
    earlier = earlier - {None}
    paths = {call.path() for call in earlier if call is not None}
    for node in reversed(between(nodes, [node for node in nodes if call_of(node) in earlier])):
        call = call_of(node)
        if node.serial > since and call is not None and call not in earlier and call.path() in paths:
            name = ".".join(str(value) for key, value in call.path() if key == "module")
            entries = {entry for node in nodes if call_of(node) is call for entry in node.scope.path()}
            forward_only = ("direction", "forward") in entries and ("direction", "reverse") not in entries
            return (
                f"{name} was given a state of its earlier calls: cut it after each backward with state.detach(), a "
                f"tuple part by part{', as ts.truncated does' if forward_only else ''} "
                "(python -m tinygrad_seq explain detach-forgotten)"
            )
    return None


def explain_freed(nodes: list[Node], op: str = "backward") -> str:
    """Return the message for a graph in which some nodes were freed by an earlier backward."""
    freed = [node for node in nodes if node.saved is None]
    advice = undetached_state(nodes, {call_of(node) for node in freed}) or (
        "a state of earlier steps wants state.detach() (python -m tinygrad_seq explain backward-twice)"
    )
    return (
        f"{op}: the graph was freed by an earlier backward, at {newest(freed)}. To go through it twice, pass "
        f"retain_graph=True to the first; {advice}"
    )


def warn_if_kept_before(nodes: list[Node]) -> None:
    """Warn of a backward that keeps its graph, and goes again through calls that an earlier one kept.

    Only if it comes from calls that were made since: several backwards may go through one forward.
    """
    calls = {call for node in nodes if (call := call_of(node)) is not None}
    kept: dict[Scope | None, int] = {call: call.kept for call in calls if hasattr(call, "kept")}
    message = undetached_state(nodes, set(kept), max(kept.values())) if kept else None
    now = new_serial()
    for call in calls:
        call.kept = now
    if message is not None:
        warn(f"backward: retain_graph=True goes through earlier calls again: {message}")


def check_not_in_use(nodes: list[Node], op: str) -> None:
    """Raise RuntimeError for nodes that another walk still needs: this backward was called by one of its hooks."""
    for used in in_use.get():
        shared = [node for node in set(used).intersection(nodes) if node.op is not None]
        if shared:
            raise RuntimeError(
                f"{op}: a hook may not free the graph of the backward that called it, at {newest(shared)}: "
                "pass retain_graph=True to the call in the hook"
            )


def explain_freed_meanwhile(nodes: list[Node]) -> str | None:
    """Return the message for a walk that failed because some nodes were freed since it began, or None if none were."""
    freed = [node for node in nodes if node.saved is None]
    if not freed:
        return None
    return (
        f"backward: another thread freed the graph that this backward goes through, at {newest(freed)}: pass "
        "retain_graph=True to the backward there"
    )


def newest(nodes: list[Node]) -> str:
    """Name the op that was recorded last, and its place in the model and in time."""
    node = max(nodes, key=by_serial)
    return f"{node.op.name} ({place_of(node.scope.path())})"
