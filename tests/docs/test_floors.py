"""The floors of the house: a room imports only from rooms on lower floors, and no circle of imports exists.

Parsed from the sources, so that an import inside a function counts, and one under `if TYPE_CHECKING`, too: whoever
reads a file has to know what it names.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

package = Path(__file__).resolve().parents[2] / "tinygrad_seq"
FLOORS = {
    "engine": 0,
    "checks": 1, "data": 1, "nn": 1, "saving": 1,
    "optim": 2,
    "drawing": 3, "flow": 3, "replay": 3, "testing": 3,
    "__init__": 4,
    "explain": 0, "exercises": 5, "overview": 5, "__main__": 6,
}  # fmt: skip
ENGINE = [  # from the ground up: a module imports only what stands before it
    "hints", "callers", "notebook", "backend", "cuda", "commit", "context_decorator", "device", "scope", "graph",
    "arguments", "norms", "freed_graph", "recording", "coercion", "op", "primitive",
    "ops.shape", "ops.comparison", "ops.elementwise", "ops.matmul", "ops.joining", "ops.reduction", "ops.indexing",
    "functions.shapes", "functions.arithmetic", "functions.reductions", "functions.selection",
    "functions.einsum", "functions.numpy_calls",
    "walk", "timeline", "same_step", "recurrence", "periods", "loop_ends", "found_steps",
    "delivery", "backprop", "differentiable", "tensor", "creation", "random", "segment", "checkpoint",
]  # fmt: skip
ROOMS = {  # within a room: its own rooms, and then its own modules, from the ground up
    "drawing": ["view", "layout", "render", "page", "picture", "diff"],
    "replay": ["trace", "passes", "text", "compiled", "plan", "program", "traced_call", "replay"],
}
files = sorted(package.rglob("*.py"))
names = {".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imported(path):
    """The modules of this package that a file imports, by dotted name below the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("tinygrad_seq."):
            home = node.module.split(".")[1:]
            for alias in node.names:  # a module of a room, or what a module defines
                longer = ".".join([*home, alias.name])
                yield longer if longer in names else ".".join(home)
        elif isinstance(node, ast.Import):
            inside = [f"{alias.name}." for alias in node.names if f"{alias.name}.".startswith("tinygrad_seq.")]
            yield from [name[13:-1] or "__init__" for name in inside]


def room(name):
    return name.partition(".")[0]


@pytest.mark.parametrize("name", names)
def test_imports_go_down(name):
    """To a lower floor or within the room: so no reader of a graph (drawing, flow) knows another."""
    for target in imported(names[name]):
        assert room(target) == room(name) or FLOORS[room(target)] < FLOORS[room(name)], target


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_is_built_from_the_ground_up(name):
    below = ENGINE[: ENGINE.index(name)]
    assert set(imported(names[f"engine.{name}"])) <= {f"engine.{module}" for module in below}


@pytest.mark.parametrize(("home", "order"), ROOMS.items())
def test_the_rooms_of_a_room_are_built_from_the_ground_up(home, order):
    inner = {name: name.split(".")[1] for name in names if name.startswith(f"{home}.")}
    assert set(inner.values()) == set(order)
    for name, own in inner.items():
        below = order[: order.index(own) + 1]
        assert {inner[target] for target in imported(names[name]) if target in inner} <= {*below}, name


def test_every_module_has_a_floor():
    rooms = {name for name in names if name in ("engine", "engine.ops", "engine.functions")}
    assert {room(name) for name in names} == set(FLOORS)
    assert {name for name in names if room(name) == "engine"} == rooms | {f"engine.{name}" for name in ENGINE}


def test_no_circle_of_imports():
    try:
        TopologicalSorter({name: set(imported(path)) for name, path in names.items()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_what_a_file_imports_is_found(tmp_path):
    source = """
from tinygrad_seq.nn.rnn import RNN
from tinygrad_seq.engine import backend, scope
if TYPE_CHECKING:
    from tinygrad_seq.nn import Module
def late():
    import tinygrad_seq.flow.norms
    import tinygrad_seq as ts
"""
    (tmp_path / "graph.py").write_text(source)
    found = ["nn.rnn", "engine.backend", "engine.scope", "nn", "flow.norms", "__init__"]
    assert sorted(imported(tmp_path / "graph.py")) == sorted(found)


def test_only_the_backend_names_an_array_library():
    """Everything else receives its module with the arrays."""
    for path in files:
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
        roots = {alias.name.split(".")[0] for node in imports for alias in node.names}
        roots |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
                  and node.value == "cupy"}  # as in import_module("cupy")
        assert path.name == "backend.py" or not roots & {"numpy", "cupy"}, path
