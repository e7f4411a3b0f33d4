"""Passes over equations: what is computed twice is computed once, and what nobody reads is left out."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.replay.tape import Equation, Ref

T = TypeVar("T")


def refs(x: Any) -> Iterator[int]:
    """Yield the values in an argument."""
    if isinstance(x, Ref):
        yield x.number
    elif isinstance(x, tuple | list):
        for part in x:
            yield from refs(part)


def read_by(equation: Equation) -> tuple[int, ...]:
    """Return the values that an equation reads."""
    if equation.reads is None:
        equation.reads = tuple(refs((equation.args, *equation.options.values())))
    return equation.reads


def changed(equation: Equation, change: Callable[[Any], Any]) -> Equation:
    """Return an equation of other arguments: `change` is asked of each."""

    def told(x: Any) -> Any:
        return type(x)(map(told, x)) if isinstance(x, tuple | list) else change(x)

    options = {key: told(x) for key, x in equation.options.items()}
    return replace(equation, args=told(equation.args), options=options)


def with_others(equation: Equation, names: dict[int, int]) -> Equation:
    """Return an equation that reads other values."""
    if names.keys().isdisjoint(read_by(equation)):
        return equation
    return changed(equation, lambda x: Ref(names.get(x.number, x.number)) if isinstance(x, Ref) else x)


def key_of(x: Any) -> Any:
    """Return a key that is equal for equal arguments."""
    if type(x) is Ref:
        return x.number
    if isinstance(x, tuple | list):
        return type(x), *map(key_of, x)
    if isinstance(x, slice):
        return slice, x.start, x.stop, x.step
    if type(x) in modules:
        return (x.dtype, repr(x.item())) if not x.ndim else id(x)
    return (type(x), repr(x)) if isinstance(x, float) else (type(x), x)


def without_repeats(equations: Iterable[Equation]) -> tuple[list[Equation], dict[int, int]]:
    """Return equations of which no two are the same, and what stands for those that were left out."""
    names: dict[int, int] = {}
    first: dict[Any, int] = {}
    kept = []
    for equation in equations:
        equation = with_others(equation, names)
        key = equation.function, key_of(equation.args), *((name, key_of(x)) for name, x in equation.options.items())
        if key in first and read_by(equation):  # zeros that are made twice may be two states
            names[equation.made] = first[key]
        else:
            first[key] = equation.made
            kept.append(equation)
    return kept, names


def in_order(items: list[T], made: Callable[[T], Iterable[int]], read: Callable[[T], Iterable[int]]) -> list[T] | None:
    """Return items so that each comes after what it reads, else as they were; None where that cannot be."""
    maker = {number: i for i, item in enumerate(items) for number in made(item)}
    if all(maker.get(number, -1) <= i for i, item in enumerate(items) for number in read(item)):
        return items
    readers = defaultdict(list)
    waiting = []
    for i, item in enumerate(items):
        needed = {maker[number] for number in read(item) if number in maker} - {i}
        waiting.append(len(needed))
        for k in needed:
            readers[k].append(i)
    ready = [i for i, count in enumerate(waiting) if not count]
    result = []
    while ready:
        i = heapq.heappop(ready)
        result.append(items[i])
        for k in readers[i]:
            waiting[k] -= 1
            if not waiting[k]:
                heapq.heappush(ready, k)
    return result if len(result) == len(items) else None
