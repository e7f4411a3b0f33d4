"""The floors of the house: a module imports only from lower floors, or from its own.

Parsed from the sources, so that an import inside a function counts too. Imports under `if TYPE_CHECKING` are names for
type checkers and do not run.
"""

import ast
from pathlib import Path

import pytest

package = Path(__file__).resolve().parents[2] / "tinygrad_seq"
FLOORS = {
    "engine": 0,
    "checks": 1, "data": 1, "nn": 1, "saving": 1,
    "drawing": 2, "flow": 2, "optim": 2, "testing": 2,
    "__init__": 3,
}  # fmt: skip
files = sorted(package.rglob("*.py"))


def room(path):
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported(path):
    """The modules of this package that a file imports, by dotted name below the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tinygrad_seq":
            below = node.module.split(".")[1:]
            yield from [below] if below else [[alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [alias.name.split(".")[1:] for alias in node.names if alias.name.startswith("tinygrad_seq.")]


@pytest.mark.parametrize("path", files, ids=lambda p: str(p.relative_to(package)))
def test_imports_go_down(path):
    here = FLOORS[room(path)]
    for target in imported(path):
        assert FLOORS[target[0]] <= here, f"{path.name} (floor {here}) imports {'.'.join(target)}"


def test_every_room_has_a_floor():
    assert {room(path) for path in files} == set(FLOORS)


def test_the_rule_would_be_noticed(tmp_path):
    source = "from tinygrad_seq.nn.rnn import RNN\nif TYPE_CHECKING:\n    from tinygrad_seq.nn import Module\n"
    (tmp_path / "graph.py").write_text(source)
    assert list(imported(tmp_path / "graph.py")) == [["nn", "rnn"]]


def test_only_the_backend_names_an_array_library():
    """Everything else receives its module with the arrays."""
    for path in files:
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
        names = {alias.name.split(".")[0] for node in imports for alias in node.names}
        assert path.name == "backend.py" or not names & {"numpy", "cupy"}, path
