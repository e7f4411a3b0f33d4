"""A program: equations as the text of a Python function over `xp`, as a person would write it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from keyword import iskeyword
from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_device
from tinygrad_seq.replay.arrays import METHODS, with_added, with_item
from tinygrad_seq.replay.loops import Carried, Item, Local, Loop, Moving, Part, Statement, read_outside, rolled
from tinygrad_seq.replay.simplify import read_by, refs, without_repeats, without_unread
from tinygrad_seq.replay.tape import Equation, Ref, Tape

width = 100  # no line becomes longer by writing a value where it is read
LEVELS = {"**": 5, "*": 4, "/": 4, "+": 3, "-": 3, "&": 2, "|": 2, "<": 1, "<=": 1, ">": 1, ">=": 1, "==": 1, "!=": 1}
SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "bitwise_and": "&", "bitwise_or": "|",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
    "sub": "-", "mul": "*", "truediv": "/", "pow": "**",
}  # fmt: skip
ATOM, UNARY = 7, 4.5
DEFAULTS = (("keepdims", False),)
TRANSPOSED = (("swapaxes", (-1, -2)), ("transpose", ((1, 0),)))  # of matrices


class OtherPath(Exception):  # noqa: N818 (no error: the function goes another way this time)
    """Tell that a value that the function asks for is not what it was when the program was made."""


def expect(value: Any, heard: Any) -> None:
    """Go on only where a value is what it was."""
    same = value == heard
    if not (same if isinstance(same, bool) else same.all()):
        raise OtherPath


HELPERS: dict[str, Any] = {
    "expect": expect, "with_item": with_item, "with_added": with_added, "to_device": to_device, "bool": bool,
}  # fmt: skip
Text = tuple[str, float]  # what stands in the program, and how tightly its outermost operator binds


class Program:
    """The text of a tape, and the function that it says: `step(xp, *given)` returns the values that are asked for."""

    def __init__(self, tape: Tape, outputs: list[int], names: dict[int, str]) -> None:
        equations, twins = without_repeats(tape.equations)
        outputs = [twins.get(number, number) for number in outputs]
        statements = rolled(without_unread(equations, outputs))
        statements = self.needed(statements, outputs)
        self.reads = Counter(number for statement in statements for number in read_outside(statement))
        self.reads.update(outputs)
        self.last: dict[int, float] = {n: k for k, statement in enumerate(statements) for n in read_outside(statement)}
        self.last.update(dict.fromkeys(outputs, math.inf))
        self.inside: dict[int, set[int]] = {}  # of what is written where it is read: the values in its text
        self.owner: dict[str, int] = {}  # of a name: the value that has it
        self.now = 0  # which statement is being written
        self.labels = {twins.get(number, number): name for number, name in (*tape.names.items(), *names.items())}
        self.given = [source for source in tape.sources if source.number in self.reads]
        self.space = dict.fromkeys(("xp", "step", "range", "reversed", "t"))
        self.space.update(HELPERS)
        self.texts: dict[int, Text] = {}  # how a value is read
        self.series: dict[int, tuple[str, int]] = {}  # of values that a loop keeps in a list: its name, and which one
        self.lengths: dict[str, int] = {}  # of these lists
        self.literals: dict[Any, str] = {}
        ends = Counter(source.name.rpartition(".")[2] for source in self.given)
        for source in self.given:
            end = source.name.rpartition(".")[2]
            self.texts[source.number] = self.free_name(end if ends[end] == 1 else source.name), ATOM
        for number, array in tape.constants.items():
            if number in self.reads:
                self.texts[number] = self.mention("constant", array), ATOM
        lines: list[str] = []
        head = ", ".join(["xp", *(self.texts[source.number][0] for source in self.given)])
        readers = {number for statement in statements if isinstance(statement, Loop) for number in read_outside(statement)}
        for self.now, statement in enumerate(statements):
            lines += self.loop(statement) if isinstance(statement, Loop) else self.line(statement, readers, outputs)
        result = "".join(f"{self.read(Ref(number))[0]}, " for number in outputs)
        self.source = "\n".join([f"def step({head}):", *(f"    {line}" for line in lines), f"    return {result or '()'}".rstrip(), ""])
        space = {key: value for key, value in self.space.items() if value is not None}
        exec(compile(self.source, "<replay>", "exec"), space)
        self.step: Callable[..., tuple[Any, ...]] = space["step"]

    def needed(self, statements: list[Statement], outputs: list[int]) -> list[Statement]:
        """Return the statements without what only stood for items of a series that loops read by themselves."""
        wanted, kept = set(outputs), []
        for statement in reversed(statements):
            made = statement.made if isinstance(statement, Loop) else (statement.made,)
            if isinstance(statement, Loop) or statement.function == "expect" or not wanted.isdisjoint(made):
                wanted.update(read_outside(statement))
                kept.append(statement)
        return kept[::-1]

    # ---------------------------------------------------------------------------------------------------- names

    def free_name(self, name: str, made: int | None = None) -> str:
        """Return a name that nothing else has, and take it; for a value, one whose value is not read any more will do."""
        name = re.sub(r"\W+", "_", name).strip("_") or "x"
        name = f"_{name}" if name[0].isdigit() or iskeyword(name) else name
        names = chain([name], (f"{name}_{i}" for i in count(2)))
        found = next(each for each in names if each not in self.space or (made is not None and self.is_over(each)))
        self.space[found] = None
        if made is not None:
            self.owner[found] = made
            self.last[made] = max(self.last.get(made, -1), self.now)
        return found

    def is_over(self, name: str) -> bool:
        """Tell whether a name has a value that no statement from now on reads."""
        return name in self.owner and self.last.get(self.owner[name], -1) < self.now

    def mention(self, name: str, x: Any) -> str:
        """Return a name for what has no text."""
        found = self.free_name(name)
        self.space[found] = x
        return found

    # ------------------------------------------------------------------------------------------------ statements

    def line(self, equation: Equation, in_loops: set[int], outputs: Sequence[int]) -> Iterator[str]:
        """Yield the line of an equation; none where its value is written where it is read."""
        text = self.text(equation, self.read)
        if equation.function == "expect":
            yield text[0]
            return
        once = self.reads[equation.made] == 1 and equation.made not in in_loops and equation.made not in outputs
        if once and equation.made not in self.labels and len(text[0]) < width / 2:
            self.texts[equation.made] = text
            inside = {n for number in read_by(equation) for n in self.inside.get(number, {number})}
            self.inside[equation.made] = inside
            self.last.update((n, max(self.last[n], self.last[equation.made])) for n in inside)
            return
        name = self.free_name(self.labels.get(equation.made, f"v{equation.made}"), equation.made)
        self.texts[equation.made] = name, ATOM
        yield f"{name} = {text[0]}"

    def loop(self, loop: Loop) -> Iterator[str]:
        """Yield the lines of a loop over time."""
        uses = Counter(self.positions(loop, Local))
        reader = {n: i for i, equation in enumerate(loop.body) for n in positions_in(equation, Local)}
        inherited: dict[int, set[int]] = {}  # by position: what is carried and read in its text
        late: dict[int, int] = {}  # of what is carried, the last position that reads it
        for i, equation in enumerate(loop.body):
            late.update((n, i) for n in positions_in(equation, Carried))
        late_before = [n for n, i in late.items() if i > n]
        kept = {i: [n for n in made if n in self.reads] for i, made in enumerate(loop.made)}
        lists = {i: numbers for i, numbers in kept.items() if numbers and numbers != [loop.made[i][-1]]}
        names: dict[int, str] = {}
        for i, made in enumerate(loop.made):
            label = next((self.labels[number] for number in made if number in self.labels), None)
            start = self.read(Ref(loop.starts[i]))[0] if i in loop.starts else ""
            is_own = i in loop.starts and self.owner.get(start) == loop.starts[i]
            if is_own and i not in late_before and self.last[loop.starts[i]] == self.now:
                if not any(loop.starts[i] in read_by(equation) for equation in loop.body):
                    names[i] = start  # goes on under its name
                    self.owner[start] = made[-1]
                    continue
            if label or i in loop.starts or kept[i]:
                names[i] = self.free_name(label or f"v{made[0]}", made[-1])
        before = {n: self.free_name(f"{names[n]}_before") for n in late_before}
        step = self.direction(loop)
        for n, number in loop.starts.items():
            if before.get(n, names[n]) != self.read(Ref(number))[0]:
                yield f"{before.get(n, names[n])} = {self.read(Ref(number))[0]}"
        all_names = {i: self.free_name(f"{names[i]}_all") for i in lists}
        if all_names:
            yield ", ".join(all_names.values()) + " = " + ", ".join(["[]"] * len(all_names))
        inner: dict[int, Text] = {}
        items: list[str] = []
        lines: list[str] = []

        def read(x: Any) -> Text:
            if isinstance(x, Local):
                return inner[x.position]
            if isinstance(x, Carried):
                return before.get(x.position, names[x.position]), ATOM
            if isinstance(x, Part):
                return f"{self.read(x.whole)[0]}[{self.moving(x.at, step)}]", ATOM
            if isinstance(x, Item):
                return self.item(x, step, items), ATOM
            if isinstance(x, Moving):
                return self.moving(x, step), LEVELS["+"]
            return self.read(x)

        for i, equation in enumerate(loop.body):
            text = self.text(equation, read)
            if equation.function == "expect":
                lines.append(text[0])
                continue
            inherited[i] = {n for n in positions_in(equation, Carried) if n not in before}
            inherited[i].update(*(inherited[n] for n in positions_in(equation, Local) if n in inherited and n not in names))
            in_time = all(reader.get(i, 0) <= n for n in inherited[i])  # before what it reads is another one
            if uses[i] == 1 and i not in names and in_time and len(text[0]) < width / 2:
                inner[i] = text
                continue
            names[i] = names.get(i) or self.free_name(f"v{equation.made}", equation.made)
            inner[i] = names[i], ATOM
            lines.append(f"{names[i]} = {text[0]}")
            if i in lists:
                lines.append(f"{all_names[i]}.append({names[i]})")
        lines += [f"{other} = {names[n]}" for n, other in before.items()]
        yield from items
        start, by = step
        end = start + by * loop.count
        plain = f"range({loop.count})" if start == 0 else f"range({start}, {end})"
        yield f"for t in {plain if by > 0 else f'reversed(range({end + 1}, {start + 1}))'}:"
        yield from (f"    {line}" for line in lines)
        for i, name in names.items():
            if kept.get(i):
                self.texts[loop.made[i][-1]] = name, ATOM
        for i, name in all_names.items():
            self.lengths[name] = loop.count
            self.series.update((number, (name, k)) for k, number in enumerate(loop.made[i]))

    def positions(self, loop: Loop, kind: type) -> Iterator[int]:
        """Yield the positions in a block that its equations read."""
        for equation in loop.body:
            yield from positions_in(equation, kind)

    def direction(self, loop: Loop) -> tuple[int, int]:
        """Return where t begins, and how it moves: as what the loop reads does."""
        found: Counter[tuple[int, int]] = Counter()
        for equation in loop.body:
            for x in leaves((equation.args, *equation.options.values())):
                at = x.at if isinstance(x, Part) else x
                if isinstance(x, Item):
                    at = self.along(x)
                if isinstance(at, Moving) and abs(at.step) == 1:
                    found[at.start, at.step] += 1
        return min(found, key=lambda at: (-found[at], at)) if found else (0, 1)

    def moving(self, x: Any, step: tuple[int, int]) -> str:
        """Return the text of an int that moves."""
        if not isinstance(x, Moving):
            return repr(x)
        start, by = step
        factor = x.step // by
        offset = x.start - factor * start
        text = "t" if factor == 1 else "-t" if factor == -1 else f"{factor} * t"
        if factor == -1 and offset:
            return f"{offset} - t"
        return text + (f" + {offset}" if offset > 0 else f" - {-offset}" if offset else "")

    def along(self, x: Item) -> Moving | None:
        """Return how a series moves through one list of a loop, or None."""
        found = [self.series.get(number) for number in x.numbers]
        if None in found or len({name for name, _ in found}) > 1:  # type: ignore[misc]
            return None
        places = [k for _, k in found]  # type: ignore[misc]
        steps = {b - a for a, b in zip(places, places[1:])}
        return Moving(places[0], steps.pop()) if len(steps) == 1 else None

    def item(self, x: Item, step: tuple[int, int], items: list[str]) -> str:
        """Return the text of a value of a series; a list of them is made first, where there is none."""
        along = self.along(x)
        if along is not None:
            return f"{self.series[x.numbers[0]][0]}[{self.moving(along, step)}]"
        key = ("series", x.numbers)
        if key not in self.literals:
            self.literals[key] = self.free_name("series")
            items.append(f"{self.literals[key]} = [{self.listed(x.numbers)}]")
        start, by = step
        return f"{self.literals[key]}[{self.moving(Moving(0, 1), step)}]"

    def listed(self, numbers: Sequence[int]) -> str:
        """Return the texts of values, with those of one list together."""
        texts, at = [], 0
        while at < len(numbers):
            end = at + 1
            while end < len(numbers) and self.along(Item(tuple(numbers[at : end + 1]))) in (
                Moving(self.series[numbers[at]][1], 1) if numbers[at] in self.series else 0,
                Moving(self.series[numbers[at]][1], -1) if numbers[at] in self.series else 0,
            ):
                end += 1
            if end - at > 2:
                texts.append("*" + self.run(numbers[at], numbers[end - 1]))
                at = end
            else:
                texts.append(self.read(Ref(numbers[at]))[0])
                at += 1
        return ", ".join(texts)

    def run(self, first: int, last: int) -> str:
        """Return the text of neighbouring values in the list of a loop."""
        (name, begin), (_, end) = self.series[first], self.series[last]
        if (begin, end + 1) == (0, self.lengths[name]):
            return name
        if begin <= end:
            return f"{name}[{begin or ''}:{end + 1}]"
        return f"{name}[{begin}:{end - 1 if end else ''}:-1]"

    # ------------------------------------------------------------------------------------------------ expressions

    def read(self, x: Any) -> Text:
        """Return the text of a value."""
        if x.number not in self.texts:
            name, k = self.series[x.number]
            return f"{name}[{k}]", ATOM
        return self.texts[x.number]

    def argument(self, x: Any, read: Callable[[Any], Text]) -> Text:
        """Return the text of an argument."""
        if isinstance(x, Ref | Local | Carried | Item | Moving | Part):
            return read(x)
        if isinstance(x, tuple | list):
            if len(x) >= 3 and all(isinstance(part, Ref) for part in x):
                inner = self.listed([part.number for part in x])
                if inner.startswith("*") and "," not in inner:
                    return inner[1:], ATOM
            else:
                inner = ", ".join(self.argument(part, read)[0] for part in x)
            return (f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"), ATOM
        if x is None or x is Ellipsis or type(x) in (bool, int, str) or (type(x) is float and math.isfinite(x)):
            return "..." if x is Ellipsis else repr(x), ATOM if not isinstance(x, int | float) or x >= 0 else UNARY
        if isinstance(x, host.dtype):
            return repr(x.name), ATOM
        if isinstance(x, slice):
            return f"slice({x.start}, {x.stop}, {x.step})", ATOM
        number = type(x) in modules and not x.ndim
        key = (type(x), str(getattr(x, "dtype", "")), repr(x.item() if number else x))
        if key not in self.literals:
            label = f"{x.item():g}".replace(".", "_").replace("-", "minus_") if number and x.dtype.kind != "b" else ""
            self.literals[key] = self.mention(f"number_{label}" if number else "setting", x)
        return self.literals[key], ATOM

    def index(self, x: Any, read: Callable[[Any], Text]) -> str:
        """Return the text of an index."""
        if isinstance(x, tuple):
            return ", ".join(self.index(part, read) for part in x) if x else "()"
        if isinstance(x, slice):
            ends = ["" if end is None else f"{end}" for end in (x.start or None, x.stop, x.step)]
            return ":".join(ends[: 3 if ends[2] else 2])
        return self.argument(x, read)[0]

    def text(self, equation: Equation, read: Callable[[Any], Text]) -> Text:
        """Return the text of a call."""
        function, args, options = equation.function, equation.args, equation.options
        plain = function in SYMBOLS or function in ("minimum", "maximum")
        texts = [self.argument(number_of(x, equation.dtype) if plain else x, read) for x in args]

        def at_least(text: Text, level: float) -> str:
            return text[0] if text[1] >= level else f"({text[0]})"

        if function == "getitem":
            return f"{at_least(texts[0], ATOM)}[{self.index(args[1], read)}]", ATOM
        if function in SYMBOLS and len(texts) == 2 and not options:
            symbol = SYMBOLS[function]
            level = LEVELS[symbol]
            right = level if symbol in "+*" else level + 0.1
            if symbol == "**":
                return f"{at_least(texts[0], level + 0.1)}**{at_least(texts[1], level)}", level
            return f"{at_least(texts[0], level)} {symbol} {at_least(texts[1], right + (symbol in '+*') * 0.1)}", level
        if function == "negative" and len(texts) == 1:
            return f"-{at_least(texts[0], UNARY)}", UNARY
        if (function, args[1:]) in TRANSPOSED and len(equation.shape) == 2:
            return f"{at_least(texts[0], ATOM)}.T", ATOM
        shown = {key: short(key, x) for key, x in options.items() if (key, x) not in DEFAULTS}
        rest = [text for text, _ in texts] + [f"{key}={self.argument(x, read)[0]}" for key, x in shown.items()]
        if function in METHODS and isinstance(args[0], Ref | Local | Carried | Item | Part):
            return f"{at_least(texts[0], ATOM)}.{function}({', '.join(rest[1:])})", ATOM
        return f"{'' if function in HELPERS else 'xp.'}{function}({', '.join(rest)})", ATOM


def number_of(x: Any, dtype: Any) -> Any:
    """Return a number of the dtype of a result as Python's, which gives the same beside an array of that dtype."""
    if type(x) in modules and not x.ndim and x.dtype == dtype and dtype.kind == "f" and math.isfinite(x):
        return float(str(host.asarray(x.item(), dtype)[()]))
    return x


def short(key: str, x: Any) -> Any:
    """Return an option as people write it."""
    return x[0] if key == "axis" and isinstance(x, tuple) and len(x) == 1 else x


def leaves(x: Any) -> Iterator[Any]:
    """Yield what an argument is made of."""
    if isinstance(x, tuple | list):
        for part in x:
            yield from leaves(part)
    else:
        yield x


def positions_in(equation: Equation, kind: type) -> Iterator[int]:
    """Yield the positions in a block that an equation reads, of this block or of the one before."""
    return (x.position for x in leaves((equation.args, *equation.options.values())) if isinstance(x, kind))
