"""Passes over equations: what is computed twice is computed once, and what nobody reads is left out."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.replay.trace.tape import SEQUENCES, Equation, Ref, read_by

T = TypeVar("T")
FULL = ("full", "ones", "zeros")  # two of these may be two states that begin alike


def changed(equation: Equation, change: Callable[[Any], Any]) -> Equation:
    """Return an equation of other arguments: `change` is asked of each."""
    options = {key: told(x, change) for key, x in equation.options.items()}
    return replace(equation, args=told(equation.args, change), options=options)


def told(x: Any, change: Callable[[Any], Any]) -> Any:
    """Return what `change` makes of an argument, or of all that is in it."""
    return type(x)([told(part, change) for part in x]) if isinstance(x, SEQUENCES) else change(x)


def with_others(equation: Equation, names: dict[int, int]) -> Equation:
    """Return an equation that reads other values."""
    if names.keys().isdisjoint(read_by(equation)):
        return equation
    return changed(equation, lambda x: Ref(names.get(x.number, x.number)) if isinstance(x, Ref) else x)


def key_of(x: Any) -> Any:
    """Return a key that is equal for equal arguments."""
    kind = type(x)
    if kind is Ref:
        return x.number
    if kind is int:
        return int, x
    if isinstance(x, SEQUENCES):
        return kind, *map(key_of, x)
    if kind is slice:
        return slice, x.start, x.stop, x.step
    if kind in modules:
        return (x.dtype, repr(x.item())) if not x.ndim else id(x)
    return kind, repr(x) if isinstance(x, float) else x


def without_repeats(equations: Iterable[Equation], fixed: Container[int] = ()) -> tuple[list[Equation], dict[int, int]]:
    """Return equations of which no two are the same, but for those of `fixed`; and what stands for the others."""
    names: dict[int, int] = {}
    first: dict[Any, int] = {}
    kept = []
    for equation in equations:
        equation = with_others(equation, names)
        key: Any = equation.function, *map(key_of, equation.args)
        if equation.options:
            key = key, *((name, key_of(x)) for name, x in equation.options.items())
        is_free = (read_by(equation) or equation.function not in FULL) and equation.made not in fixed
        if first.setdefault(key, equation.made) != equation.made and is_free:
            names[equation.made] = first[key]
        else:
            kept.append(equation)
    return kept, names


def in_order(items: list[T], made: Callable[[T], Iterable[int]], read: Callable[[T], Iterable[int]]) -> list[T] | None:
    """Return items so that each comes after what it reads, else as they were; None where that cannot be."""
    later = {number for item in items for number in made(item)}
    waiting = defaultdict(list)  # of a value that is made later: which items can come soonest after it
    result = []
    for i in range(len(items)):
        ready = [i]
        while ready:
            k = heapq.heappop(ready)
            missing = later.intersection(read(items[k])).difference(made(items[k]))
            if missing:
                waiting[missing.pop()].append(k)
                continue
            result.append(items[k])
            later.difference_update(made(items[k]))
            for number in made(items[k]) if waiting else ():
                for reader in waiting.pop(number, ()):
                    heapq.heappush(ready, reader)
    return None if waiting else result
