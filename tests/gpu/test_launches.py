"""Laws of launches: an LSTM launches at most 53 kernels a step, and docs/gpu.md says by which op."""

from pathlib import Path

import launches
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "gpu.md").read_text(encoding="utf-8")
MAKE = "python tests/gpu/launches.py writes the tables"


@pytest.fixture
def counted(gpu):
    if gpu is None:
        pytest.skip("only the double counts kernels")


def test_the_page_lists_the_launches_of_a_step_by_op(counted):
    before = [(op.rules, op.joint, op.merge) for op in launches.registry.values()]
    *_, last = lines = launches.by_op_table()
    assert "\n".join(lines) in PAGE, MAKE
    assert sum(map(float, last.strip("| ").split(" | ")[1:])) <= 53
    assert before == [(op.rules, op.joint, op.merge) for op in launches.registry.values()]
    assert all(line in PAGE for line in launches.by_layer_table(replayed=False)), MAKE


@pytest.mark.slow
def test_the_page_says_how_many_a_program_launches(counted):
    lines = launches.by_layer_table()
    assert "\n".join(lines) in PAGE, MAKE
    for line in lines[2:]:
        _, eager, replayed = line.strip("| ").split(" | ")
        assert float(replayed) < float(eager)
