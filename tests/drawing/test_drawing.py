"""Pictures: what is in them, and how they are saved."""

import copy
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import by_hand, clusters, items, lstm, needs_graphviz, numbers, reading, steps_shown

import tinygrad_seq as ts
from tinygrad_seq.drawing import Drawing, draw
from tinygrad_seq.drawing.view.model import leaves
from tinygrad_seq.engine.graph import ancestors

root = Path(__file__).parents[2]


# ------------------------------------------------------------------------------------------------------- what there is


@pytest.mark.parametrize("make", [by_hand, lstm, reading, lambda t: lstm(t, num_layers=2, bidirectional=True)])
def test_every_op_stands_in_exactly_one_cluster_and_every_edge_has_both_ends(make):
    output = make(3)
    view = draw(output).view
    shown = items(view)
    assert len({item.id for item in shown}) == len(shown)
    ordinals = [item.ordinal for item in shown if item.role in ("op", "gate", "state", "named", "output")]
    assert len(set(ordinals)) == len(ordinals)
    nodes = ancestors([output.node])
    hidden = {"part", "transpose", "contiguous", "add", "split", "reshape"}
    for i, node in enumerate(nodes):
        if node.op is not None and i not in ordinals:
            assert node.op.name in hidden
            assert node.op.name == "part" or "step" not in dict(node.scope.path())
    names = {item.id for item in shown}
    assert all(edge.source in names and edge.target in names for edge in view.edges)


def test_clusters_follow_the_scopes_and_steps_are_in_order_of_time():
    view = draw(reading(3)).view
    labels = [cluster.label for cluster in clusters(view)]
    assert "embed" in labels and "head" in labels and "layer 0" in labels and "layer 1" in labels
    assert steps_shown(view) == [["t = 0", "t = 1", "t = 2"]] * 2


def test_two_layers_and_two_directions_of_four_steps_are_sixteen_clusters():
    output = lstm(4, num_layers=2, bidirectional=True)
    view = draw(output).view
    steps = [cluster for cluster in clusters(view) if cluster.key == "step"]
    assert len(steps) == 16 and [len(loop) for loop in view.loops] == [4] * 4
    ops = [item for step in steps for item in step.items if item.role not in leaves]
    assert len({item.ordinal for item in ops}) == len(ops)
    nodes = [node for node in ancestors([output.node]) if node.op is not None and node.op.name != "part"]
    assert len(ops) == sum("step" in dict(node.scope.path()) for node in nodes)
    for step in steps:
        assert [item.label for item in step.items if item.role == "gate"] == ["input", "forget", "cell", "output"]
        assert [item.label for item in step.items if item.role == "state"] == ["c", "h"]


def test_a_reverse_direction_is_drawn_in_order_of_time_too():
    view = draw(lstm(4, bidirectional=True)).view
    assert [row for row in steps_shown(view) if len(row) == 4][:2] == [[f"t = {t}" for t in range(4)]] * 2
    assert all(edge.through_time for edge in view.edges if edge.role == "state")


def test_four_gates_come_out_of_one_split_and_states_lead_on():
    view = draw(lstm(3)).view
    role = {item.id: (item.role, item.symbol, item.label) for item in items(view)}
    of_split = [role[edge.target] for edge in view.edges if role[edge.source][1] == "split"]
    assert of_split[:4] == [
        ("gate", "σ", "input"),
        ("gate", "σ", "forget"),
        ("gate", "tanh", "cell"),
        ("gate", "σ", "output"),
    ]
    carried = [role[edge.source][2] for edge in view.edges if edge.role == "state"]
    assert sorted(carried) == ["c", "c", "h", "h"]
    assert {"h0", "c0"} <= {label for kind, _, label in role.values() if kind == "initial"}


def test_an_op_that_reads_one_value_twice_has_two_edges():
    x = ts.tensor([2.0], requires_grad=True)
    assert len(draw(x * x).view.edges) == 2


def test_a_sum_of_variables_is_an_op_and_not_a_parameter():
    x, y = (ts.tensor([1.0], requires_grad=True).named(name) for name in "xy")
    z = x + y
    assert [item.symbol for item in items(draw(z * z).view) if item.role == "op"] == ["+"]


def test_weights_are_proxies_in_their_colour_and_the_legend_counts_their_uses():
    view = draw(lstm(20)).view
    proxies = [item for item in items(view) if item.role == "weight" and item.label == "weight_hh_l0"]
    assert len(proxies) == 4 and len({item.colour for item in proxies}) == 1
    rows = {row.label: row for row in view.legend}
    assert list(rows) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert (rows["weight_hh_l0"].shape, rows["weight_hh_l0"].uses) == ((16, 4), 20)
    assert "-16 × 4 · 20 uses " in draw(lstm(20)).dot


def test_the_legend_lists_parameters_only_and_is_left_out_without_any():
    plain = ts.tensor(numbers(7, 16), requires_grad=True).named("w")
    assert draw(by_hand(3, weight=plain)).view.legend == []
    assert "uses" not in draw(by_hand(3, weight=plain)).dot
    assert [row.label for row in draw(by_hand(3)).view.legend] == ["w"]


def test_two_parameters_of_one_name_are_told_apart():
    assert {"embed.weight", "head.weight"} <= {row.label for row in draw(reading(2)).view.legend}


def test_every_call_of_a_module_is_a_cluster():
    encoder, decoder = ts.nn.RNN(3, 4), ts.nn.RNN(3, 4)
    x = ts.tensor(numbers(3, 2, 3))
    view = draw(decoder(x, encoder(x)[1])[0]).view
    assert [cluster.label.partition(" · ")[0] for cluster in view.top.inner] == ["RNN (1)", "RNN (2)"]
    assert len(view.loops) == 2
    assert len({row.label for row in view.legend}) == len(view.legend) == 8
    assert len(draw(encoder(x, encoder(x)[1])[0]).view.top.inner) == 2
    copied = copy.deepcopy(encoder)
    assert len(draw(copied(x, encoder(x)[1])[0]).view.top.inner) == 2
    encoder.name = copied.name = "same"
    assert len(draw(copied(x, encoder(x)[1])[0]).view.top.inner) == 2


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("kind, names", [(ts.nn.RNN, ["h0"]), (ts.nn.LSTM, ["c0", "h0"]), (ts.nn.GRU, ["h0"])])
def test_the_first_state_is_called_by_its_name_however_short_the_sequence(kind, names, steps):
    layer, x = kind(3, 4), ts.tensor(numbers(steps, 2, 3))
    given = [ts.zeros(1, 2, 4) for _ in names]
    for state in (None, tuple(given) if len(given) > 1 else given[0]):
        found = {item.label for item in items(draw(layer(x, state)[0]).view) if item.role == "initial"}
        assert sorted(found) == names


def test_several_outputs_and_a_leaf_alone():
    x = ts.tensor([1.0], requires_grad=True).named("x")
    assert len(items(draw(x).view)) == 1
    outputs = [item for item in items(draw([x * 2.0, x.tanh()]).view) if item.role == "output"]
    assert len(outputs) == 2


def test_after_backward_the_picture_is_the_same():
    loss = by_hand(5).sum()
    before = draw(loss).dot
    loss.backward()
    assert draw(loss).dot == before


# ----------------------------------------------------------------------------------------------------------- saving


@needs_graphviz
@pytest.mark.parametrize("kind, start", [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")])
def test_saving(kind, start, tmp_path):
    draw(lstm(10)).save(tmp_path / f"x.{kind}")
    assert (tmp_path / f"x.{kind}").read_bytes().startswith(start)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_time_runs_from_left_to_right_in_dot(options):
    places: dict[str, list[float]] = {}
    boxes = re.findall(r'subgraph "cluster ([^"]*)/step-(\d+)" \{\n\tbb="([^,]*),', draw(lstm(10, **options)).dot)
    for row, step, left in boxes:
        places.setdefault(row, []).append((int(step), float(left)))
    assert places
    for row in places.values():
        assert [x for _, x in sorted(row)] == sorted(x for _, x in row)


def test_errors_say_what_to_do(tmp_path):
    x = ts.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        draw(ts.tensor([1.0]))
    for wrong in (3, "x", [1]):
        with pytest.raises(TypeError, match="expected a Tensor"):
            draw(wrong)
    with pytest.raises(TypeError, match=r"got tuple among them: give all in one list, as in \[out, h, c\]"):
        draw((x * 2.0, (x * 3.0, x * 4.0)))
    with pytest.raises(ValueError, match="at least one"):
        draw([])
    for wrong in (3, (1, 2, 3), ("a", 1)):
        with pytest.raises(TypeError, match="steps must be two ints"):
            draw(x, steps=wrong)
    with pytest.raises(ValueError, match="negative"):
        draw(x, steps=(-1, 1))
    with pytest.raises(ValueError, match=r"must end in \.svg"):
        draw(x).save(tmp_path / "x.bmp")


def test_importing_the_package_does_not_import_graphviz():
    code = "import sys, tinygrad_seq.drawing; print('graphviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_drawing_holds_no_nodes_of_the_graph():
    view = draw(by_hand(3)).view
    assert isinstance(Drawing(view).dot, str) and all(type(item.ordinal) is int for item in items(view))
