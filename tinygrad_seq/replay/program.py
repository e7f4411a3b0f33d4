"""A program: the tape as the text of a Python function over `xp`, without what nobody reads."""

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.tape import Ref, Tape

METHODS = frozenset((
    "all", "any", "argmax", "argmin", "astype", "clip", "conj", "copy", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min", "prod",
    "ravel", "repeat", "reshape", "round", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var",
))  # fmt: skip
SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "sub": "-", "mul": "*", "truediv": "/",
    "pow": "**", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
    "bitwise_and": "&", "bitwise_or": "|",
}  # fmt: skip


class OtherPath(Exception):  # noqa: N818 (no error: the function goes another way this time)
    """Tell that a value that the function asks for is not what it was when the program was made."""


def needed(tape: Tape, outputs: Iterable[int]) -> set[int]:
    """Return the values that the outputs and the checks are made of."""
    wanted = {*outputs, *(check.number for check in tape.checks)}
    for equation in reversed(tape.equations):
        if equation.made in wanted:
            wanted.update(ref.number for ref in refs((equation.args, *equation.options.values())))
    return wanted


def refs(x: Any) -> Iterable[Ref]:
    """Yield the values in an argument."""
    if isinstance(x, Ref):
        yield x
    elif isinstance(x, tuple | list):
        for part in x:
            yield from refs(part)
    elif isinstance(x, slice):
        yield from refs((x.start, x.stop, x.step))


class Text:
    """The text of a program, and the arrays and dtypes that it mentions by name."""

    def __init__(self, tape: Tape, outputs: list[int]) -> None:
        self.tape, self.names = tape, dict[int, str]()
        self.mentioned: dict[str, Any] = {}
        wanted = needed(tape, outputs)
        self.given = [source for source in tape.sources if source.number in wanted]
        for number, array in tape.constants.items():
            if number in wanted:
                self.names[number] = self.mention(array)
        for i, source in enumerate(self.given):
            self.names[source.number] = f"i{i}"
        lines = []
        checks = list(tape.checks)
        for place, equation in enumerate(tape.equations):
            while checks and checks[0].place <= place:
                lines.append(self.checked(checks.pop(0)))
            if equation.made in wanted:
                lines.append(f"{self.name(equation.made)} = {self.called(equation.function, equation.args, equation.options)}")
        lines += map(self.checked, checks)
        lines.append(f"return ({''.join(self.name(number) + ', ' for number in outputs)})")
        head = ", ".join(["xp", *(self.names[source.number] for source in self.given)])
        self.source = "\n    ".join([f"def step({head}):", *lines]) + "\n"

    def name(self, number: int) -> str:
        """Return the name of a value."""
        return self.names.setdefault(number, f"v{number}")

    def mention(self, x: Any) -> str:
        """Return a name for what has no text."""
        name = f"k{len(self.mentioned)}"
        self.mentioned[name] = x
        return name

    def checked(self, check: Any) -> str:
        """Return the line that asks for a value again."""
        heard = self.mention(check.heard) if isinstance(check.heard, host.ndarray) else repr(check.heard)
        return f"repeat({self.name(check.number)}, {heard})"

    def argument(self, x: Any) -> str:
        """Return the text of an argument."""
        if isinstance(x, Ref):
            return self.name(x.number)
        if isinstance(x, tuple | list):
            inner = ", ".join(map(self.argument, x))
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, slice):
            return f"slice({self.argument(x.start)}, {self.argument(x.stop)}, {self.argument(x.step)})"
        if x is None or x is Ellipsis or type(x) in (bool, int, str) or (type(x) is float and abs(x) < host.inf):
            return repr(x)
        return self.mention(x)

    def called(self, function: str, args: tuple[Any, ...], options: dict[str, Any]) -> str:
        """Return the text of a call."""
        texts = [self.argument(x) for x in args]
        if function in SYMBOLS and not options:
            return f"{texts[0]} {SYMBOLS[function]} {texts[1]}"
        if function == "negative" and not options:
            return f"-{texts[0]}"
        if function == "getitem":
            return f"{texts[0]}[{texts[1]}]"
        texts += [f"{key}={self.argument(option)}" for key, option in options.items()]
        if function in METHODS and isinstance(args[0], Ref):
            return f"{texts[0]}.{function}({', '.join(texts[1:])})"
        return f"{'' if function in RUNTIME else 'xp.'}{function}({', '.join(texts)})"

    def compiled(self) -> Callable[..., Any]:
        """Return the function that the text says."""
        space = {**RUNTIME, **self.mentioned}
        exec(compile(self.source, "<replay>", "exec"), space)
        return space["step"]  # type: ignore[no-any-return]


def repeat(value: Any, heard: Any) -> None:
    """Go on only where a value is what it was."""
    if not host.array_equal(value, heard):
        raise OtherPath


def setitem(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x in which a value stands at an index."""
    x = x.copy()
    x[index] = value
    return x


def add_at(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x with a value added at an index, repeats included."""
    x = x.copy()
    host.add.at(x, index, value)
    return x


RUNTIME = {"repeat": repeat, "setitem": setitem, "add_at": add_at, "bool": bool}
