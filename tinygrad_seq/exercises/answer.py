"""The reader's file: load it, find a function, call it. Whatever goes wrong there is a sentence with the line."""

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.tensor import Tensor

MISSING = {  # a name that Python did not find, and what the file lacks
    "ts": "import tinygrad_seq as ts", "np": "import numpy as np", "nn": "from tinygrad_seq import nn",
    "vjps": "@ts.primitive, above the function",
}  # fmt: skip


class Wrong(Exception):  # noqa: N818 (no error of ours: what is to be said to the reader)
    """Say what is wrong with an answer."""


@dataclass
class Answer:
    """Hold what a file defines."""

    path: Path
    space: dict[str, Any]

    def function(self, name: str, *parameters: str, wanted: str = "") -> Callable[..., Any]:
        """Return a function of the file that takes these arguments; `wanted`: how it is written, if not plainly."""
        wanted = wanted or f"def {name}({', '.join(parameters)}):"
        kind = "class" if wanted.startswith("class") else "function"
        found: Any = self.space.get(name)
        if not callable(found):
            mine = [key for key, value in self.space.items() if callable(value) and not key.startswith("__")]
            near = [f" (there is {key!r})" for key in get_close_matches(name, mine, 1, 0.5)]
            what = f"{name!r} is not a {kind}" if name in self.space else f"there is no {kind} {name!r}"
            raise Wrong(f"{self.path}: {what}{''.join(near)}. Write: {wanted}")
        try:
            inspect.signature(found).bind(*parameters)
        except TypeError:
            line = found.__code__.co_firstlineno if hasattr(found, "__code__") else 1
            raise Wrong(
                f"{self.path}, line {line}: {name} is called with {len(parameters)} arguments, but yours is "
                f"{name}{inspect.signature(found)}. Write: {wanted}"
            ) from None
        except ValueError:  # written in C
            pass
        return found  # type: ignore[no-any-return]

    def call(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something of the file; `what` says how, for the sentence."""
        try:
            return function(*arguments)
        except Wrong:
            raise
        except (Exception, SystemExit) as error:
            raise Wrong(f"{what} raised {error_text(error, self.path)}") from None


def load(path: Path) -> Answer:
    """Run the file; return what it defines."""
    if not path.is_file():
        raise Wrong(f"{path}: there is no such file here, {Path.cwd()}")
    module = ModuleType("answer")
    module.__file__ = str(path)
    answer = Answer(path, vars(module))
    try:
        code = compile(path.read_bytes(), str(path), "exec")
    except SyntaxError as error:
        line = f"\n    {error.text.strip()}" if error.text else ""
        raise Wrong(f"{path}, line {error.lineno or 1}: this is not Python: {error.msg}{line}") from None
    except (OSError, ValueError) as error:
        raise Wrong(f"{path}: this file cannot be read: {error}") from None
    sys.modules["answer"] = module  # where dataclasses and pickle look for what it defines
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        answer.call(f"{path}: running the file", exec, code, answer.space)
    finally:
        del sys.path[0]
    return answer


def error_text(error: BaseException, path: Path) -> str:
    """Return an error of the reader's code with the line it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if lines:
        text += f"\n    {path}, line {lines[-1]}: {linecache.getline(str(path), lines[-1] or 0).strip()}"
    missing = MISSING.get(getattr(error, "name", None) or "")
    if missing:
        text += f"\nIs this missing in the file?  {missing}"
    return text


def shown(value: Any, most: int = 3) -> str:
    """Return a value in a few words: up to so many numbers as they are, more of them by their shape."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value[:3]))}{', ...' if len(value) > 3 else ''}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(each)}' for key, each in value.items())}}}"
    if not isinstance(value, int | float | host.ndarray | host.generic | Tensor):
        return getattr(value, "__name__", None) or type(value).__name__
    array = numbers_in(value)
    return str(host.round(array, 6).tolist()) if array.size <= most else str(array.shape)


def numbers_in(value: Any) -> Any:
    """Return the array of a Tensor; anything else as an array."""
    return value.detach().numpy() if isinstance(value, Tensor) else host.asarray(value)


def array_of(what: str, value: Any, shape: tuple[int, ...], *kinds: type) -> Any:
    """Return the numbers of a result, a Tensor or of other kinds; refuse other types and shapes, and NaN and inf."""
    kinds = kinds or (Tensor,)
    if value is None:
        raise Wrong(f"{what} returned None. Is a `return` missing at the end, or in a branch?")
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise Wrong(f"{what} returned a value of type {type(value).__name__}; wanted: {wanted}.")
    array = numbers_in(value)
    if array.dtype.kind not in "fiu":
        raise Wrong(f"{what} returned values of dtype {array.dtype}; wanted: numbers.")
    if array.shape != shape:
        turned = " Is a transpose missing, or one too many?" if array.shape == shape[::-1] else ""
        raise Wrong(f"{what} returned the shape {array.shape}; wanted: {shape}.{turned}")
    if not host.isfinite(array).all():
        raise Wrong(f"{what} returned numbers that are not finite: {shown(array)}.")
    return array


def list_of(what: str, value: Any, length: int) -> list[Any]:
    """Return a result that is a list, or a tuple, of this length."""
    if not isinstance(value, list | tuple):
        returned = "None. Is a `return` missing?" if value is None else f"a value of type {type(value).__name__}."
        raise Wrong(f"{what} returned {returned} Wanted: a list of {length}.")
    if len(value) != length:
        raise Wrong(f"{what} returned {len(value)} results; wanted: {length}.")
    return list(value)
