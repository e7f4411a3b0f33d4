"""What is said to whoever makes or calls a layer: an error in the words that were written, a warning at that line.

An error begins with the name of the layer, not of the base class that has the method. A warning shows the line of the
user's program, however deep in this package it arose.
"""

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from types import FrameType
from typing import Any, TypeVar

from tinygrad_seq.engine.hints import keywords, no_argument, package

F = TypeVar("F", bound=Callable[..., Any])


class Constructed:
    """Base of classes that are made with arguments: an unknown or missing one is said in the name of what is made."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls) and cls.__module__.partition(".")[0] == package:  # of others Python says it
            cls.__init__ = constructor(cls.__init__)  # type: ignore[method-assign]


def check_call(name: str, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    """Raise TypeError if that is why a call failed: an argument is unknown or missing, or there are too many."""
    try:
        signature, known = inspect.signature(function), keywords(function)
    except ValueError:  # a function that is written in C
        return
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    unknown = () if is_open else [key for key in options if key not in known]
    if unknown:
        raise no_argument(name, unknown[0], known) from None
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}; its arguments: {', '.join(known) or 'none'}") from None


def constructor(init: F) -> F:
    """Make an `__init__` say which argument is unknown or missing, and what it is called here."""

    @wraps(init)
    def call(self: Any, *args: Any, **options: Any) -> None:
        try:
            init(self, *args, **options)
        except TypeError:
            check_call(type(self).__name__, init, (self, *args), options)
            raise

    return call  # type: ignore[return-value]


def known_arguments(function: F) -> F:
    """Make a function say which argument is unknown or missing, and what it is called here; other errors pass as is."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError:
            name = function.__name__
            if "." in function.__qualname__:  # a method, which may be one of a base class
                owner = args[0] if isinstance(args[0], type) else type(args[0])
                name = f"{owner.__name__}.{name}"
            check_call(name, function, args, options)
            raise

    return call  # type: ignore[return-value]


def warn(message: str) -> None:
    """Warn at the line outside of this package that led here: it is the one to change."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
