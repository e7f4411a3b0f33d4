"""How a call reads as Python: operators, methods and functions of `xp`, with the brackets that are needed."""

import math
import re
from collections.abc import Callable, Sequence
from itertools import chain, count
from keyword import iskeyword
from operator import attrgetter, getitem
from typing import Any
from unicodedata import normalize

from tinygrad_seq.engine.backend import host, modules, to_device
from tinygrad_seq.replay.passes.loops import VALUES, Moving
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, PLAIN
from tinygrad_seq.replay.passes.tidy import is_transpose
from tinygrad_seq.replay.text.kernels import Kernel, KernelText
from tinygrad_seq.replay.trace.arrays import METHODS
from tinygrad_seq.replay.trace.in_place import with_added, with_item
from tinygrad_seq.replay.trace.tape import HOST, Equation, Ref

Text = tuple[str, float]  # what stands in the program, and how tightly its outermost operator binds
ATOM, UNARY = 7.0, 4.5
longest = 50  # a longer expression gets a line of its own
COMPARED = dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), 0)
LEVELS = {"**": 5, "*": 4, "/": 4, "+": 3, "-": 3, "&": 2, "|": 1, **COMPARED}
SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "bitwise_and": "&", "bitwise_or": "|",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
    "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==",
    "ne": "!=",
}  # fmt: skip

SOON = (ELEMENTWISE | {"dot"}) - {"minimum", "maximum"}  # take `out` as their last argument, which saves time


class OtherPath(Exception):  # noqa: N818 (no error: the function goes another way this time)
    """Tell that a value that the function asks for is not what it was when the program was made."""


def expect(value: Any, heard: Any) -> None:
    """Go on only where a value is what it was."""
    same = value == heard
    if not (same if isinstance(same, bool) else same.all()):
        raise OtherPath


HELPERS: dict[str, Any] = {
    "expect": expect, "with_item": with_item, "with_added": with_added, "to_device": to_device, "kernel": Kernel,
    "bool": bool, "float": float, "int": int,
}  # fmt: skip


CALLED = ("xp", "step", "t", "list", "range", "slice", "zip")  # what the text itself uses
COMPILED = re.compile(  # names in compiled loops
    r"[jnrx]\d+|[ijkq]|total|other|row|left|right|float|np|math|exp|log|tanh|abs|min|max|check_ids"
)


class Name(str):
    """What stands in a program for something that has a line of its own."""


class Expressions:
    """The names in a program, and the texts of its calls."""

    listed: Callable[[Sequence[int]], str]  # the texts of values, with those of one list together; see Series

    def __init__(self, compile: bool) -> None:
        self.reserved = COMPILED if compile else re.compile("xp")
        self.space: dict[str, Any] = dict.fromkeys(CALLED) | HELPERS
        self.literals: dict[Any, str] = {}
        self.numbers: dict[tuple[str, Any], Name] = {}  # in loops; by their text, for 0.0 is not -0.0
        self.short: dict[str, str] = {}  # of a function: its name in loops
        self.in_loop = False  # what is written runs at every step: functions and numbers have names
        self.kernels: list[str] = []  # lines that make kernels of a GPU, once

    def free_name(self, name: str, is_over: Callable[[str], bool] = lambda name: False) -> str:
        """Return a name that nothing else has, or whose owner is over, and take it."""
        name = re.sub(r"\W+", "_", normalize("NFKC", name)).strip("_") or "x"  # as Python reads it
        name = f"_{name}" if name[0].isdigit() or iskeyword(name) or self.reserved.fullmatch(name) else name
        names = chain([name], (f"{name}_{i}" for i in count(2)))
        found = next(each for each in names if each not in self.space or is_over(each))
        self.space[found] = None
        return found

    def mention(self, name: str, x: Any) -> str:
        """Return a name for what has no text."""
        found = self.free_name(name)
        self.space[found] = x
        return found

    def argument(self, x: Any, read: Callable[[Any], Text]) -> Text:
        """Return the text of an argument."""
        if isinstance(x, VALUES | Moving):
            return read(x)
        if isinstance(x, Name):
            return x, ATOM
        if isinstance(x, tuple | list):
            if len(x) > 2 and all(isinstance(part, Ref) for part in x):
                inner = self.listed([part.number for part in x])
                if inner.startswith("*") and "," not in inner:
                    return inner[1:], ATOM
            else:
                inner = ", ".join(self.argument(part, read)[0] for part in x)
            return (f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"), ATOM
        if x is Ellipsis:
            return "...", ATOM
        if x is None or type(x) in (bool, int, str) or (type(x) is float and math.isfinite(x)):
            return repr(x), UNARY if isinstance(x, int | float) and x < 0 else ATOM
        if isinstance(x, host.dtype):
            return repr(x.name), ATOM
        if isinstance(x, slice):
            return f"slice({x.start}, {x.stop}, {x.step})", ATOM
        number = type(x) in modules and not x.ndim
        key = (type(x), str(getattr(x, "dtype", "")), repr(x.item() if number else x))
        if key not in self.literals:
            self.literals[key] = self.mention("number" if number else "setting", x)
        return self.literals[key], ATOM

    def index(self, x: Any, read: Callable[[Any], Text]) -> str:
        """Return the text of an index."""
        if isinstance(x, tuple):
            return ", ".join(self.index(part, read) for part in x) if x else "()"
        if isinstance(x, slice):
            ends = ["" if end is None else f"{end}" for end in (x.start, x.stop, x.step)]
            ends[0] = "" if ends[0] == "0" and (x.step or 1) > 0 else ends[0]
            return ":".join(ends[: 3 if ends[2] else 2])
        return self.argument(x, read)[0]

    def call_on_host(self, equation: Equation, read: Callable[[Any], Text]) -> str:
        """Return the text of a call that a program of a GPU makes on the host."""
        function = equation.function.removeprefix(HOST)
        if equation.function not in self.literals:
            self.literals[equation.function] = self.mention(f"host_{function}", on_host(function))
        args = [self.argument(x, read)[0] for x in equation.args] + self.options(equation, read)
        return f"{self.literals[equation.function]}({', '.join(args)})"

    def kernel(self, text: KernelText) -> str:
        """Return the name of a kernel."""
        if text not in self.literals:
            name = self.literals[text] = self.free_name(f"kernel_{len(self.kernels) + 1}")
            self.kernels.append(text.line(name))
        return self.literals[text]

    def call_into(self, equation: Equation, read: Callable[[Any], Text], name: str) -> str:
        """Return the text of a call that writes into an array."""
        out = name if self.in_loop and equation.function in SOON else f"out={name}"
        if equation.function == "kernel" or equation.function in METHODS:
            return f"{self.text(equation, read)[0][:-1]}, {out})"
        args = [self.argument(self.number_of(x, equation.dtype), read)[0] for x in equation.args]
        options = self.options(equation, read)
        out = f"out={name}" if options else out
        return f"{self.called(equation.function)}({', '.join([*args, *options, out])})"

    def options(self, equation: Equation, read: Callable[[Any], Text]) -> list[str]:
        """Return the texts of the options of a call."""
        shown = {key: x[0] if type(x) is tuple and len(x) == 1 else x for key, x in equation.options.items()}
        return [f"{key}={self.argument(x, read)[0]}" for key, x in shown.items()]

    def text(self, equation: Equation, read: Callable[[Any], Text]) -> Text:
        """Return the text of a call."""
        function, args, options = equation.function, equation.args, equation.options
        if function.startswith(HOST):
            return self.call_on_host(equation, read), ATOM
        if function == "kernel":
            return f"{self.kernel(args[0])}({', '.join(self.argument(x, read)[0] for x in args[1:])})", ATOM
        texts = [self.argument(self.number_of(x, equation.dtype) if function in PLAIN else x, read) for x in args]
        if function == "getitem":
            return f"{bracketed(texts[0], ATOM)}[{self.index(args[1], read)}]", ATOM
        if function in SYMBOLS and len(texts) == 2 and not options:
            symbol = SYMBOLS[function]
            level, more = LEVELS[symbol], LEVELS[symbol] + 0.1
            left = more if symbol == "**" or symbol in COMPARED else level  # a < b < c would be a chain
            right = level if symbol == "**" else more
            return f"{bracketed(texts[0], left)} {symbol} {bracketed(texts[1], right)}", level
        if function == "negative" and len(texts) == 1:
            return f"-{bracketed(texts[0], UNARY)}", UNARY
        if is_transpose(equation):
            return f"{bracketed(texts[0], ATOM)}.T", ATOM
        rest = [text for text, _ in texts] + self.options(equation, read)
        if function in METHODS and isinstance(args[0], VALUES):
            return f"{bracketed(texts[0], ATOM)}.{function}({', '.join(rest[1:])})", ATOM
        return f"{self.called(function)}({', '.join(rest)})", ATOM

    def called(self, function: str) -> str:
        """Return the name of a function; in loops a short one, for it takes time to find `add` in `xp`."""
        if function in HELPERS:
            return function
        if not self.in_loop or not function.isidentifier():
            return f"xp.{function}"
        if function not in self.short:
            self.short[function] = self.free_name(function)
        return self.short[function]

    def number_of(self, x: Any, dtype: Any) -> Any:
        """Return a number as it is written beside an array of that dtype; in loops an array, which is faster."""
        x = number_of(x, dtype)
        kind = getattr(dtype, "kind", "")  # a number of Python has no dtype
        if not self.in_loop or type(x) is not float or kind != "f" or not math.isfinite(x):
            return x
        key = repr(x), dtype
        if key not in self.numbers:
            self.numbers[key] = Name(self.free_name({0.5: "half", 1.0: "one", 2.0: "two"}.get(x, "number")))
        return self.numbers[key]


def on_host(function: str) -> Callable[..., Any]:
    """Return what computes on arrays on the host, by the name that it has on a tape."""
    if function in METHODS:
        return lambda x, *args, **options: getattr(x, function)(*args, **options)
    return getitem if function == "getitem" else HELPERS.get(function) or attrgetter(function)(host)


def bracketed(text: Text, level: float) -> str:
    """Return a text in brackets, unless it binds as tightly as its place asks."""
    return text[0] if text[1] >= level else f"({text[0]})"


def number_of(x: Any, dtype: Any) -> Any:
    """Return a number of the dtype of a result as Python's, which gives the same beside an array of that dtype."""
    if type(x) in modules and not x.ndim and x.dtype == dtype and dtype.kind == "f" and math.isfinite(x):
        return float(str(host.asarray(x.item(), dtype)[()]))
    return x
