"""Show an op's gradient rules as they are written in its source: what a reader checks against the blackboard."""

import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any

from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.engine.op import Primitive


def rules_of(op: Primitive) -> list[tuple[str, str]]:
    """Return every statement that holds rules of an op, and what they are the gradients for."""
    names = list(inspect.signature(op.forward).parameters)[1:]
    shared = [("every argument", op.joint)] if op.joint else [(f"all uses of {names[0]}", op.merge)]
    found = grouped((source(rule), name) for name, rule in [*zip(names, op.rules), *shared] if rule is not None)
    return [(", ".join(names), text) for text, names in found.items()]


def source(rule: Callable[..., Any]) -> str:
    """Return the statement that a rule is written in, or its own line where that is spread over several."""
    try:
        return dedent(inspect.getsource(rule)).rstrip()
    except (OSError, TypeError):  # typed at a prompt, or no function at all
        return "(its source is not at hand)"
