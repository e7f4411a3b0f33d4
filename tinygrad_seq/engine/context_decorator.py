"""A context held while a function's body runs, for functions that stop and go on, too.

A generator, a coroutine or an async generator runs nothing of its body when it is called. The context is entered each
time that the body goes on, and left each time that it yields or waits: what runs in between belongs to somebody else.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import coroutine
from typing import Any


def held(context: AbstractContextManager[Any], function: Callable[..., Any]) -> Any:
    """Return the function, of its own kind, with the context entered whenever its body runs."""
    wrapper: Callable[..., Any]
    if isasyncgenfunction(function):

        async def wrapper(*args: Any, **options: Any) -> Any:
            body = function(*args, **options)
            go_on: Any = body.asend
            sent: list[Any] = [None]
            while True:
                try:
                    answer = await driven(context, go_on(sent.pop()))
                except StopAsyncIteration:
                    return
                try:
                    go_on, sent = body.asend, [(yield answer)]
                except GeneratorExit:
                    await driven(context, body.aclose())
                    raise
                except BaseException as error:
                    go_on, sent = body.athrow, [error]

    elif iscoroutinefunction(function):

        async def wrapper(*args: Any, **options: Any) -> Any:
            return await driven(context, function(*args, **options))

    elif isgeneratorfunction(function):

        def wrapper(*args: Any, **options: Any) -> Any:
            return (yield from driven(context, function(*args, **options)))

    else:

        def wrapper(*args: Any, **options: Any) -> Any:
            with context:
                return function(*args, **options)

    return wraps(function)(wrapper)


@coroutine
def driven(context: AbstractContextManager[Any], body: Any) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine to its end; for `yield from` and for `await`."""
    go_on: Any = body.send
    sent: list[Any] = [None]  # emptied on use: an error kept here would keep its traceback, and that this frame
    while True:
        try:
            with context:
                answer = go_on(sent.pop())
        except StopIteration as end:
            return end.value
        try:
            go_on, sent = body.send, [(yield answer)]
        except GeneratorExit:
            with context:
                body.close()
            raise
        except BaseException as error:
            go_on, sent = body.throw, [error]
