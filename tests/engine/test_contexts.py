"""Contexts (`scope`, `no_grad`, `detect_anomaly`) left in any order, nested, used again, shared, and as decorators.

The model is a list of what is open: ops are recorded where it holds no `no_grad`, looked at where it holds a
`detect_anomaly`, and carry its scopes in their order. At the end the thread is where it was.
"""

import asyncio
import contextvars
import inspect
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import leaf

import tinygrad_seq as ts
from tinygrad_seq.checks.anomaly import AnomalyError
from tinygrad_seq.engine.scope import current, root

w = leaf(np.zeros(1))


def contexts():
    return [ts.no_grad(), ts.scope(step=3), ts.scope(layer=0, direction="reverse"), ts.scope(), ts.detect_anomaly()]


def observed():
    """Whether ops are recorded here, whether they are looked at, and the scopes that they carry."""
    try:
        recorded, seen = (w + 1.0).log().requires_grad, False
        with np.errstate(all="ignore"):
            w.log()
    except AnomalyError:
        seen = True
    return recorded, seen, current.get().path()


def expected(opened):
    recorded = not any(isinstance(context, ts.no_grad) for context in opened)
    seen = recorded and any(isinstance(context, ts.detect_anomaly) for context in opened)
    scopes = [context.entries.items() for context in opened if isinstance(context, ts.scope)]
    return recorded, seen, tuple(entry for entries in scopes for entry in entries)


@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=12), data=st.data())
def test_contexts_may_be_left_in_any_order(moves, data):
    contextvars.copy_context().run(open_and_leave, moves, data)  # Hypothesis may end an example while contexts are open


def open_and_leave(moves, data):
    made, opened, before = contexts(), [], np.geterr()
    while moves or opened:
        enters, which = moves.pop() if moves else (False, data.draw(st.integers(0, 99)))
        if enters:
            context = made[which % len(made)]  # the same object again and again
            context.__enter__()
            opened.append(context)
        elif opened:
            context = opened[which % len(opened)]
            last = max(i for i, other in enumerate(opened) if other is context)
            del opened[last]
            context.__exit__(None, None, None)
        if not any(step == "step" for step, _ in current.get().path()):  # where an anomaly does not wait for a name
            assert observed() == expected(opened)
        assert current.get().path() == expected(opened)[2]
    assert current.get() is root and np.geterr() == before


@pytest.mark.parametrize("make", [lambda: ts.no_grad(), lambda: ts.scope(step=1), lambda: ts.detect_anomaly()])
def test_generators_that_hold_one_each_may_end_in_any_order(make):
    def holding(times):
        with make():
            for _ in range(times):
                yield

    before = np.geterr()
    for first, second in [(1, 3), (3, 1), (2, 2)]:
        generators = [holding(first), holding(second)]
        while generators:
            generators = [generator for generator in generators if next(generator, "ended") != "ended"]
        assert current.get() is root and np.geterr() == before


def test_one_object_is_shared_by_threads():
    quiet, labelled, start, wrong = ts.no_grad(), ts.scope(step=1), threading.Barrier(4), []

    def work():
        start.wait(10)
        for _ in range(200):
            with labelled:
                inside = w + 1.0
                with quiet, quiet:
                    silent = w + 1.0
                with quiet:
                    pass
                again = w + 1.0
            if silent.requires_grad or not again.requires_grad or inside.node.scope.path() != (("step", 1),):
                wrong.append(silent)
        if current.get() is not root:
            wrong.append(current.get())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_another_thread_leaves_is_not_mine():
    def holding():
        with ts.no_grad():
            yield

    generator = holding()
    next(generator)
    with ts.no_grad():
        thread = threading.Thread(target=contextvars.Context().run, args=(generator.close,))
        thread.start()
        thread.join()
        assert not (w + 1.0).requires_grad
    current.set(root)  # this thread cannot know


@pytest.mark.parametrize("context", [ts.no_grad(), ts.scope(layer=0), ts.detect_anomaly()])
def test_an_interrupt_while_one_is_left_is_mended_by_the_one_around_it(context):
    class Interrupted(ts.scope):
        def __exit__(self, *raised):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), context, Interrupted(step=1):
        pass
    assert current.get() is root


def records():
    return (w + 1.0).requires_grad


def driven(make):
    """What comes out of a generator function that is sent to, thrown at and closed, and what is seen in between."""
    seen, generator = [], make()
    for move in (lambda: next(generator), lambda: generator.send(5), lambda: generator.throw(KeyError("k")),
                 lambda: next(generator)):  # fmt: skip
        try:
            seen.append(move())
        except StopIteration as end:
            seen.append(("ended", end.value))
        seen.append(records())
    unfinished = make()
    next(unfinished)
    unfinished.close()
    return [*seen, records()]


async def driven_async(make):
    seen, generator = [], make()
    for move in (lambda: anext(generator), lambda: generator.asend(5), lambda: generator.athrow(KeyError("k")),
                 lambda: anext(generator)):  # fmt: skip
        try:
            seen.append(await move())
        except StopAsyncIteration:
            seen.append("ended")
        seen.append(records())
    unfinished = make()
    await anext(unfinished)
    await unfinished.aclose()
    return [*seen, records()]


def body(log):
    try:
        try:
            got = yield "first"
            log.append((records(), got))
            yield "second"
        except KeyError as error:
            log.append((records(), str(error)))
            yield "caught"
        log.append(records())
        return "the end"
    finally:
        log.append(records())


async def async_body(log):
    try:
        try:
            got = yield "first"
            await asyncio.sleep(0)
            log.append((records(), got))
            yield "second"
        except KeyError as error:
            log.append((records(), str(error)))
            await asyncio.sleep(0)
            yield "caught"
        log.append(records())
    finally:
        log.append(records())


def switched(log):
    """The log of a body, as if it had not recorded."""
    return [(False, *entry[1:]) if isinstance(entry, tuple) else False for entry in log]


def test_a_decorated_generator_does_not_record_and_is_else_the_same():
    plain, quiet = [], []
    wrapped = ts.no_grad()(body)
    assert inspect.isgeneratorfunction(wrapped) and wrapped.__name__ == "body"
    assert driven(lambda: wrapped(quiet)) == driven(lambda: body(plain))
    assert quiet == switched(plain) and any(plain)


def test_a_decorated_async_generator_does_not_record_and_is_else_the_same():
    plain, quiet = [], []
    wrapped = ts.no_grad()(async_body)
    assert inspect.isasyncgenfunction(wrapped)

    async def both():
        assert await driven_async(lambda: wrapped(quiet)) == await driven_async(lambda: async_body(plain))

    asyncio.run(both())
    assert quiet == switched(plain) and any(plain)


def test_a_decorated_coroutine_does_not_record_while_others_do():
    turn = []

    @ts.no_grad()
    async def quiet():
        seen = [records()]
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(records())
        turn.append("quiet")
        return seen

    assert inspect.iscoroutinefunction(quiet)

    async def loud():
        seen = []
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(records())
        return seen

    async def all_of_them():
        one = asyncio.create_task(quiet())
        return await asyncio.gather(one, loud(), quiet())

    assert asyncio.run(all_of_them()) == [[False] * 4, [True] * 3, [False] * 4]
    coroutine = quiet()  # stepped by hand: outside its body we record
    coroutine.send(None)
    assert records()
    coroutine.close()
    assert records()


def test_a_decorated_function_calls_itself():
    @ts.no_grad()
    def down(n):
        return [records(), *(down(n - 1) if n else ())]

    assert down(3) == [False] * 4 and records()


@pytest.mark.parametrize("kind", [ts.no_grad, ts.detect_anomaly])
def test_a_context_without_arguments_decorates_without_parentheses(kind):
    @kind
    def bare(x, *, to):
        """A docstring."""
        return observed(), x * to

    assert bare(2.0, to=3.0) == (expected([kind()]), 6.0)
    assert (bare.__name__, bare.__doc__) == ("bare", "A docstring.") and current.get() is root
    assert inspect.isgeneratorfunction(kind(body))


def test_the_other_contexts_decorate_too():
    @ts.scope(step=2)
    def labelled():
        yield w + 1.0

    assert [y.node.scope.path() for y in labelled()] == [(("step", 2),)]

    @ts.detect_anomaly()
    def strict():
        yield 1
        yield w.log()

    generator = strict()
    assert next(generator) == 1
    with np.errstate(all="ignore"):
        assert np.isinf(w.log().item())
    with pytest.raises(AnomalyError):
        next(generator)
    assert current.get() is root
