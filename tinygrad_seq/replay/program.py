"""A program: the tape as the text of a Python function over `xp`, without what nobody reads."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_device
from tinygrad_seq.replay.arrays import METHODS, with_added, with_item
from tinygrad_seq.replay.tape import Check, Equation, Ref, Tape

SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "sub": "-", "mul": "*", "truediv": "/",
    "pow": "**", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
    "bitwise_and": "&", "bitwise_or": "|",
}  # fmt: skip


class OtherPath(Exception):  # noqa: N818 (no error: the function goes another way this time)
    """Tell that a value that the function asks for is not what it was when the program was made."""


def repeat(value: Any, heard: Any) -> None:
    """Go on only where a value is what it was."""
    same = value == heard
    if not (same if isinstance(same, bool) else same.all()):
        raise OtherPath


HELPERS: dict[str, Any] = {"repeat": repeat, "with_item": with_item, "with_added": with_added, "to_device": to_device, "bool": bool}


def needed(tape: Tape, outputs: Iterable[int]) -> set[int]:
    """Return the values that the outputs and the checks are made of."""
    wanted = {*outputs, *(check.number for check in tape.checks)}
    for equation in reversed(tape.equations):
        if equation.made in wanted:
            wanted.update(refs((equation.args, *equation.options.values())))
    return wanted


def refs(x: Any) -> Iterator[int]:
    """Yield the values in an argument."""
    if isinstance(x, Ref):
        yield x.number
    elif isinstance(x, tuple | list):
        for part in x:
            yield from refs(part)


class Program:
    """The text of a tape, and the function that it says: `step(xp, *given)` returns the values that are asked for."""

    def __init__(self, tape: Tape, outputs: list[int]) -> None:
        wanted = needed(tape, outputs)
        self.given = [source for source in tape.sources if source.number in wanted]
        self.space = dict(HELPERS)
        self.names: dict[int, str] = {}
        self.literals: dict[Any, str] = {}
        for source in self.given:
            self.names[source.number] = self.free_name(re.sub(r"\W+", "_", source.name).strip("_") or "x")
        for number, array in tape.constants.items():
            if number in wanted:
                self.names[number] = self.mention("constant", array)
        lines = ["    " + line for line in self.lines(tape, wanted)]
        head = ", ".join(["xp", *(self.names[source.number] for source in self.given)])
        result = "".join(f"{self.name(number)}, " for number in outputs)
        self.source = "\n".join([f"def step({head}):", *lines, f"    return ({result})", ""])
        exec(compile(self.source, "<replay>", "exec"), self.space)
        self.step: Callable[..., tuple[Any, ...]] = self.space["step"]

    def lines(self, tape: Tape, wanted: set[int]) -> Iterator[str]:
        """Yield a line for every equation that somebody reads, and for every check."""
        checks = iter([*tape.checks, Check(-1, None, len(tape.equations) + 1)])
        check = next(checks)
        for place, equation in enumerate([*tape.equations, None]):
            while check.place <= place:
                heard = check.heard if isinstance(check.heard, bool | int) else self.mention("mask", check.heard)
                yield f"repeat({self.name(check.number)}, {heard})"
                check = next(checks)
            if equation is not None and equation.made in wanted:
                yield f"{self.name(equation.made)} = {self.text(equation)}"

    def name(self, number: int) -> str:
        """Return the name of a value."""
        return self.names.setdefault(number, f"v{number}")

    def free_name(self, name: str) -> str:
        """Return a name that nothing else has, and take it."""
        name = f"_{name}" if name[0].isdigit() or name == "xp" else name
        others = (f"{name}_{i}" for i in range(2, 1 << 30))
        found = name if name not in self.space else next(other for other in others if other not in self.space)
        self.space[found] = None
        return found

    def mention(self, name: str, x: Any) -> str:
        """Return a name for what has no text."""
        found = self.free_name(name)
        self.space[found] = x
        return found

    def argument(self, x: Any) -> str:
        """Return the text of an argument."""
        if isinstance(x, Ref):
            return self.name(x.number)
        if isinstance(x, tuple | list):
            inner = ", ".join(map(self.argument, x))
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if x is None or x is Ellipsis or type(x) in (bool, int, str) or (type(x) is float and math.isfinite(x)):
            return "..." if x is Ellipsis else repr(x)
        if isinstance(x, host.dtype):
            return repr(x.name)
        if isinstance(x, slice):
            return f"slice({x.start}, {x.stop}, {x.step})"
        value = x.item() if type(x) in modules and not x.ndim else x
        key = (type(x), str(getattr(x, "dtype", "")), repr(value))
        if key not in self.literals:
            self.literals[key] = self.mention("number" if type(x) in modules else "setting", x)
        return self.literals[key]

    def index(self, x: Any) -> str:
        """Return the text of an index."""
        if isinstance(x, tuple):
            return ", ".join(map(self.index, x)) if x else "()"
        if isinstance(x, slice):
            ends = ["" if end is None else f"{end}" for end in (x.start, x.stop, x.step)]
            return ":".join(ends[: 3 if ends[2] else 2])
        return self.argument(x)

    def text(self, equation: Equation) -> str:
        """Return the text of a call."""
        function, args, options = equation.function, equation.args, equation.options
        if function == "getitem":
            return f"{self.argument(args[0])}[{self.index(args[1])}]"
        texts = [self.argument(x) for x in args] + [f"{key}={self.argument(x)}" for key, x in options.items()]
        if function in SYMBOLS and len(texts) == 2:
            return f"{texts[0]} {SYMBOLS[function]} {texts[1]}"
        if function == "negative" and len(texts) == 1:
            return f"-{texts[0]}"
        if function in METHODS and isinstance(args[0], Ref):
            return f"{texts[0]}.{function}({', '.join(texts[1:])})"
        return f"{'' if function in HELPERS else 'xp.'}{function}({', '.join(texts)})"
