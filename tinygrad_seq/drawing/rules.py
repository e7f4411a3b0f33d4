"""An op's gradient rules as they are written in its source: what a reader checks against the blackboard.

A rule is mostly a lambda among others in one call, where `inspect` knows only the lines. Python knows the columns of
every instruction, so the lambda around them is the one.
"""

import ast
import inspect
from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent
from typing import Any

from tinygrad_seq.engine.primitive import Primitive


def rules_of(op: Primitive) -> list[tuple[str, str]]:
    """For every rule what it is the gradient for, and its text."""
    names = list(inspect.signature(op.forward).parameters)[1:]
    several = [("every argument", op.joint)] if op.joint else [(f"all uses of {names[0]}", op.merge)]
    rules = [*zip(names, op.rules), *several]
    return [(name, written(rule)) for name, rule in rules if rule is not None]


def written(rule: Callable[..., Any]) -> str:
    """The `lambda` or the `def`, without what stands around it."""
    try:
        lines, _ = inspect.getsourcelines(rule)
        if rule.__name__ != "<lambda>":
            start = next(i for i, line in enumerate(lines) if line.lstrip().startswith("def "))
            return dedent("".join(lines[start:])).rstrip()
        source = "".join(inspect.findsource(rule)[0])
        code = rule.__code__
        spans = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
        for node in lambdas(source):
            body = node.body
            first, last = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
            named = tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))
            if named == code.co_varnames[: code.co_argcount] and spans and all(first <= at < last for at in spans):
                return ast.get_source_segment(source, node) or ""
        return dedent("".join(lines)).strip()
    except (OSError, TypeError, AttributeError, SyntaxError, StopIteration):  # typed at a prompt, or no function at all
        return "(its source is not at hand)"


@lru_cache(maxsize=32)
def lambdas(source: str) -> list[ast.Lambda]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Lambda)]
