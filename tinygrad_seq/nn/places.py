"""Check names and values of a module's attributes: a name has no dot, and only a part replaces a part."""

from typing import Any

from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.parameter import Buffer, Parameter, Stored


def check_name(of: str, name: str, value: Any, module: type) -> None:
    """Raise unless an attribute may have this name; `module` is the type of modules, here and below.

    A state says where a part is as names with dots between them, so ValueError for a part whose own name has one.
    """
    if name == "requires_grad":
        raise TypeError(f"{of}: {name!r} is each parameter's: for w in model.parameters(): w.requires_grad = False")
    if isinstance(value, Stored | module) and (not name or "." in name):
        use = f"such as {name.replace('.', '_')!r}, for in a state dots are between names" if name else "not empty"
        raise ValueError(f"{of}: {name!r} cannot be the name of an nn.{type(value).__name__}: use another, {use}")


def check_place(of: str, name: str, old: Any, value: Any, module: type) -> None:
    """Raise TypeError unless a value may take the place of a part of a module."""
    with_gradient = " with one: .detach() it first" if isinstance(value, Tensor) else ""
    for kind, may, what, hint in (
        (Parameter, Parameter | None, "another nn.Parameter", f"; {name}.assign(value) gives it new values"),
        (Buffer, Stored | module | None, "a Tensor without gradient", with_gradient),
        (module, Parameter | module | None, "another nn.Module", ""),
    ):
        if isinstance(old, kind) and not isinstance(value, may):
            taken = f"only {what} or None takes its place, not {type(value).__name__}{hint}"
            raise TypeError(f"{of}: {name!r} is an nn.{kind.__name__}, and {taken}")
