"""Passes over equations and loops, each alone: what they give computes what was there before."""

import importlib
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from computed import computed
from hypothesis import example, given
from hypothesis import strategies as st

loops, gates, bulk, edges, factors, rewriting, tidy = (
    importlib.import_module(f"tinygrad_seq.replay.passes.{name}")
    for name in ("loops", "gates", "bulk", "edges", "factors", "rewriting", "tidy")
)
aliases = importlib.import_module("tinygrad_seq.replay.text.aliases")
tape = importlib.import_module("tinygrad_seq.replay.trace.tape")
Equation, Ref, Local, Carried, Item = tape.Equation, tape.Ref, loops.Local, loops.Carried, loops.Item
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)
unary, binary = ("tanh", "negative"), ("add", "subtract", "multiply", "multiply")


def passed(improve, equations, values, outputs):
    """What a pass makes of equations of given values."""
    shapes, dtypes = ({n: getattr(x, name) for n, x in values.items()} for name in ("shape", "dtype"))
    first = 1 + max(equation.made for equation in equations)
    work = rewriting.Pass(equations, shapes, dtypes, count(first).__next__, outputs)
    improve(work)
    work.apply()
    return work.equations


@example(np.random.default_rng(421289), 8)  # what is done to some columns is done of what is not done to most
@given(generators, st.integers(3, 8))
def test_gates_compute_the_same_bits(rng, width):
    values = {n: rng.normal(size=(2, width)) for n in range(2)}
    numbers, equations = count(2), []
    add = lambda function, shape, *args: (
        equations.append(Equation(next(numbers), function, args, {}, shape, np.dtype("float64")))
        or Ref(equations[-1].made)
    )
    cuts = sorted({0, width, *rng.integers(1, width, 3)})
    for start, end in pairwise(cuts):
        shape = 2, int(end - start)
        columns = slice(None), slice(int(start), int(end))
        parts = [add("getitem", shape, Ref(n), columns) for n in range(2)]
        for _ in range(rng.integers(1, 4)):  # some do it more often than others
            parts = [add("tanh", shape, add("add", shape, *parts)), add("multiply", shape, parts[0], 0.5)]
    numbers_of = [equation.made for equation in equations]
    before, found = computed(equations, values), passed(gates.gates, equations, values, numbers_of)
    after = computed(found, values)
    for equation in equations:
        np.testing.assert_array_equal(after[equation.made], before[equation.made])
    kept = loops.needed(found, [equation.made for equation in equations])
    sums = [[equation for equation in each if equation.function == "tanh"] for each in (equations, kept)]
    assert len(sums[1]) <= len(sums[0])
    if len(cuts) > 2:
        assert len(sums[1]) < len(sums[0])


def drawn_loop(rng, steps, numbers):
    """A loop of random equations, some of which wait for the step before, and what it reads."""
    shape, dtype = (2, 4), np.dtype("float64")
    whole, start = next(numbers), next(numbers)
    series = [Item(tuple(next(numbers) for _ in range(steps))) for _ in range(2)]
    way = loops.Moving(*((steps - 1, -1) if rng.integers(2) else (0, 1)))
    values = {n: rng.normal(size=shape) for n in [start, *series[0].numbers, *series[1].numbers]}
    values[whole] = rng.normal(size=(steps, *shape))
    read, body = [*series, loops.Part(Ref(whole), way), Carried(0), Carried(0)], []
    for i in range(rng.integers(3, 14)):
        function = str(rng.choice(unary if rng.random() < 0.2 else binary))
        args = tuple(read[k] for k in rng.integers(len(read), size=1 if function in unary else 2))
        body.append(Equation(-1, function, args, {}, shape, dtype))
        read += [Local(i)] * 2
    made = [tuple(next(numbers) for _ in range(steps)) for _ in body]
    return loops.Loop(steps, body, made, {0: start}), values


@given(generators, st.integers(3, 5))
def test_what_is_computed_before_a_loop(rng, steps):
    numbers = count()
    loop, values = drawn_loop(rng, steps, numbers)
    loop.body[0] = replace(loop.body[0], function="tanh", args=(Carried(0),))
    outputs = [int(n) for made in loop.made for n in made if rng.random() < 0.3] + [loop.made[-1][-1]]
    shapes = {n: x.shape for n, x in values.items()}
    dtypes = {n: x.dtype for n, x in values.items()}
    found = bulk.in_bulk([loop], outputs, shapes, dtypes, numbers.__next__)
    before, after = computed([loop], values), computed(found, values)
    for n in outputs:
        np.testing.assert_allclose(after[n], before[n], rtol=1e-9, atol=1e-12 * max(1.0, np.abs(before[n]).max()))
    assert loop.made[-1][-1] in set(loops.made_by(found[-1]))


def test_a_backward_step_is_products_with_what_is_known():
    numbers = count()
    x, y, start = Item(tuple(next(numbers) for _ in range(4))), Item(tuple(next(numbers) for _ in range(4))), 99
    body = [
        Equation(-1, function, args, {}, (2, 4), np.dtype("float64"))
        for function, args in (
            ("tanh", (Carried(5),)),
            ("multiply", (Local(0), x)),
            ("multiply", (Local(1), y)),
            ("multiply", (Local(2), y)),
            ("subtract", (Local(1), Local(3))),
            ("negative", (Local(4),)),
        )
    ]
    made = [tuple(next(numbers) for _ in range(4)) for _ in body]
    shapes = dict.fromkeys([*x.numbers, *y.numbers, start], (2, 4))
    dtypes = dict.fromkeys(shapes, np.dtype("float64"))
    *first, loop = bulk.in_bulk([loops.Loop(4, body, made, {5: start})], [made[5][3]], shapes, dtypes, numbers.__next__)
    assert [equation.function for equation in loop.body] == ["tanh", "multiply"]
    assert {equation.function for equation in first} == {"stack", "multiply", "subtract", "negative"}


@given(generators, st.sampled_from(["twice", "read elsewhere", "two numbers", "returned"]))
def test_a_multiple_that_is_added_to_itself_is_one_multiple(rng, case):
    shape, dtype = (2, 4), np.dtype("float64")
    equation = lambda made, function, *args: Equation(made, function, args, {}, shape, dtype)
    c, x = float(rng.normal()), rng.normal(size=shape)
    equations = [equation(1, "multiply", c, Ref(0)), equation(2, "multiply", 2.0 * c, Ref(0))]
    equations.append(equation(3, "add", Ref(1), Ref(2 if case == "two numbers" else 1)))
    if case == "read elsewhere":
        equations.append(equation(4, "exp", Ref(1)))
    outputs = [1, 3] if case == "returned" else [equations[-1].made, 3]
    found = passed(tidy.doubled, equations, {0: x}, outputs)
    before, after = computed(equations, {0: x}), computed(found, {0: x})
    for n in outputs:
        np.testing.assert_array_equal(after[n], before[n])
    assert [each.function for each in found] == ["multiply"] if case == "twice" else "add" in str(found)


@pytest.mark.parametrize("axis", [(0,), (1,)])
@given(generators, st.sampled_from(["float64", "float32", "int64"]), st.integers(1, 40))
def test_rows_are_added_by_a_product(axis, rng, kind, rows):
    x, dtype = (rng.normal(size=(rows, 3)) * 10).astype(kind), np.dtype(kind)
    shape = x.sum(axis).shape
    equations = [Equation(1, "negative", (Ref(0),), {}, x.shape, dtype)]
    equations.append(Equation(2, "sum", (Ref(1),), {"axis": axis}, shape, dtype))
    found = passed(tidy.rows_added, equations, {0: x}, [2])
    is_product = axis == (0,) and kind != "int64" and rows > 1
    assert found[-1].function == ("dot" if is_product else "sum")
    assert (found[-1].shape, found[-1].dtype) == (shape, dtype)
    if is_product:
        assert [each.function for each in found[:-1]] in (["negative", "full"], ["full", "negative"])
        np.testing.assert_allclose(np.ones(rows, kind).dot(-x), -x.sum(axis), rtol=1e-5, atol=1e-4)


def test_what_is_said_twice_is_computed_once_unless_a_loop_reads_it():
    shape, dtype = (2, 4), np.dtype("float64")
    equation = lambda made, function, *args: Equation(made, function, args, {}, shape, dtype)
    squares = [equation(n, "multiply", Ref(0), Ref(0)) for n in (1, 2, 3, 4)]
    loop = loops.Loop(3, [equation(-1, "add", Ref(3), Item((5, 6, 7)))], [(8, 9, 10)], {})
    found = bulk.said_once([*squares, loop, equation(11, "add", Ref(1), Ref(2))], [4, 11])
    assert [each.made for each in found] == [1, 3, 4, loop.made, 11]
    assert found[-1].args == (Ref(1), Ref(1))


def test_views_of_what_is_returned_are_not_written_again():
    shape, dtype = (2, 4), np.dtype("float64")
    equation = lambda made, function, *args: Equation(made, function, args, {}, shape, dtype)
    straight = [equation(1, "tanh", Ref(0)), equation(2, "reshape", Ref(1), (4, 2)), equation(3, "exp", Ref(2))]
    assert aliases.escaping(straight, [3]) == {3}
    assert aliases.escaping(straight, [2]) == {1, 2}
    body = [equation(-1, "tanh", Item((5, 6, 7))), equation(-1, "getitem", Local(0), (slice(None),))]
    loop = loops.Loop(3, body, [(10, 11, 12), (13, 14, 15)], {})
    assert aliases.escaping([loop], [14]) == {10, 11, 12, 13, 14, 15}
    assert aliases.escaping([loop], [11]) == {10, 11, 12}
    body[1] = equation(-1, "getitem", Carried(0), (slice(None),))
    assert aliases.escaping([replace(loop, starts={0: 9})], [14]) == {9, 10, 11, 12, 13, 14, 15}


@given(generators)
def test_memory_is_read_as_long_as_a_view_of_it(rng):
    shape, dtype, numbers = (2, 4), np.dtype("float64"), count(2)
    values = {n: rng.normal(size=shape) for n in range(2)}
    every, columns = (slice(None), slice(None)), (slice(None), slice(None, None, -1))
    views = [("getitem", (every,)), ("getitem", (columns,)), ("reshape", (shape,))]
    statements, read = [], [Ref(0), Ref(1)]

    def drawn(read):
        if rng.random() < 0.5:
            function, rest = views[rng.integers(len(views))]
            return function, (read[rng.integers(len(read))], *rest)
        return str(rng.choice(binary)), tuple(read[k] for k in rng.integers(len(read), size=2))

    for _ in range(rng.integers(2, 6)):
        if rng.random() < 0.3:
            body, own = [], [Item((0, 1, 0)), Carried(0), *rng.permutation(read)[:2]]
            for i in range(rng.integers(2, 5)):
                body.append(Equation(-1, *drawn([*own, *(Local(k) for k in range(i))] if i else own), {}, shape, dtype))
            made = [tuple(next(numbers) for _ in range(3)) for _ in body]
            statements.append(loops.Loop(3, body, made, {0: read[rng.integers(len(read))].number}))
            read += [Ref(n) for numbers in made for n in numbers]
        else:
            statements.append(Equation(next(numbers), *drawn(read), {}, shape, dtype))
            read.append(Ref(statements[-1].made))
    waiting = {s.made for s in statements if isinstance(s, Equation) and rng.random() < 0.3}
    last = aliases.last_reads(statements, [read[-1].number], lambda equation: equation.made in waiting)
    values, until = computed(statements, values), {read[-1].number: np.inf}
    for k, statement in reversed(list(enumerate(statements))):  # what waits is read when its value is
        waits = isinstance(statement, Equation) and statement.made in waiting
        end = max(k, until.get(statement.made, k)) if waits else k
        for n in loops.read_outside(statement):
            until[n] = max(until.get(n, -1), end)
    for n, end in until.items():
        for m in values:
            if values[m].base is None and np.may_share_memory(values[m], values[n]):
                assert last.get(m, -1) >= end, (n, m, statements)


def test_what_cannot_be_zero_is_asked_once_though_many_ways_lead_there(monkeypatch):
    asked, vanish = [], edges.Edge.vanish

    def noted(edge, x, stays):
        asked.append(x)
        assert len(asked) < 1000
        vanish(edge, x, stays)

    monkeypatch.setattr(edges.Edge, "vanish", noted)
    whole = Item((90, 91, 92))
    body = [Equation(0, "exp", (whole,), {})]
    body += [Equation(i, "multiply", (Local(i - 1), Local(i - 1)), {}) for i in range(1, 40)]
    loop = loops.Loop(3, body, [(i, i + 100, i + 200) for i in range(40)], {})
    with pytest.raises(loops.Uneven):
        edges.Edge(loop, {}, -1).vanish(Local(39), set())
    assert Local(0) in asked
