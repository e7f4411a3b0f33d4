"""A module as a table: its layers, and the shape and size of every parameter."""

from typing import TYPE_CHECKING, Any

from tinygrad_seq.engine.graph import Value

if TYPE_CHECKING:  # a name for type checkers
    from tinygrad_seq.nn.module import Module


class Summary(str):
    """Text that shows itself at a prompt."""

    __slots__ = ()
    __repr__ = str.__str__


def summary(module: "Module") -> Summary:
    """One line a parameter, beside its layer; in a second place it is not counted again, but says where it was."""
    counted: dict[int, str] = {}
    rows = [("layer", "parameter", "shape", "count")]
    for path, layer in module.named_modules():
        title = f"{path}: " * bool(path) + f"{type(layer).__name__}({layer.describe()})"
        own: list[tuple[str, Any]] = [(name, part) for name, part in layer.parts() if isinstance(part, Value)]
        for name, parameter in own:
            count = f"{parameter.size:,}" if id(parameter) not in counted else f"is {counted[id(parameter)]}"
            counted.setdefault(id(parameter), f"{path}.{name}".removeprefix("."))
            rows.append((title, name, str(parameter.shape), count))
            title = ""
        if not own:
            rows.append((title, "", "", ""))
    wide = [max(map(len, column)) for column in zip(*rows)]
    lines = [f"{a:{wide[0]}}  {b:{wide[1]}}  {c:{wide[2]}}  {d:>{wide[3]}}".rstrip() for a, b, c, d in rows]
    sizes = [(parameter.size, parameter.requires_grad) for parameter in module.parameters()]
    frozen = sum(size for size, learns in sizes if not learns)
    total = f"{sum(size for size, _ in sizes):,} parameters" + f", {frozen:,} of them frozen" * bool(frozen)
    return Summary("\n".join([*lines, total]))
