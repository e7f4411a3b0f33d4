"""Pictures: what is in them, that they are honest about what they leave out, and that they are the same every time."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq.drawing import Drawing, draw
from tinygrad_seq.drawing.build import build
from tinygrad_seq.drawing.view import Cluster, Item, View
from tinygrad_seq.graph import ancestors
from tinygrad_seq.steps import Places, same_again

root = Path(__file__).parents[1]
needs_graphviz = pytest.mark.skipif(which("dot") is None, reason="Graphviz is not installed")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def clusters(view: View) -> list[Cluster]:
    found, stack = [], [view.top]
    while stack:
        cluster = stack.pop()
        found.append(cluster)
        stack += reversed(cluster.inner)
    return found


def items(view: View) -> list[Item]:
    return [item for cluster in clusters(view) for item in cluster.items]


def by_hand(steps, odd=None, weight=None):
    """An LSTM over ts ops, with a scope for each step; `odd(t, h)` may do something else at a step."""
    x = ts.tensor(numbers(steps, 2, 3), requires_grad=True)
    w = ts.nn.Parameter(numbers(7, 16)).named("w") if weight is None else weight
    h, c = ts.tensor(numbers(2, 4)), ts.tensor(numbers(2, 4))
    for t in range(steps):
        with ts.scope(step=t):
            i, f, g, o = (ts.concatenate([x[t], h], 1) @ w).split(4, 1)
            c = (f.sigmoid().named("forget") * c + i.sigmoid().named("input") * g.tanh().named("cell")).named("c")
            h = (o.sigmoid().named("output") * c.tanh()).named("h")
            if odd is not None:
                h = odd(t, h)
    return h


def lstm(steps, **options):
    ts_out, _ = ts.nn.LSTM(3, 4, **options)(ts.tensor(numbers(steps, 2, 3)))
    return ts_out


class Reader(ts.nn.Module):
    """Embedding, LSTM, Linear."""

    def __init__(self):
        self.embed, self.lstm, self.head = ts.nn.Embedding(10, 3), ts.nn.LSTM(3, 4, num_layers=2), ts.nn.Linear(4, 10)

    def forward(self, ids):
        return self.head(self.lstm(self.embed(ids))[0])


def reading(steps):
    ids = np.arange(2 * steps).reshape(steps, 2) % 10
    return ts.nn.cross_entropy(Reader()(ids), ids)


def steps_shown(view):
    return [[cluster.label for cluster in loop] for loop in view.loops]


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
    assert "embed" in labels and "head" in labels and "layer 0 · forward" in labels and "layer 1 · forward" in labels
    assert steps_shown(view) == [["t = 0", "t = 1", "t = 2"]] * 2


def test_a_reverse_direction_is_drawn_in_order_of_time_too():
    view = draw(lstm(4, bidirectional=True)).view
    assert [row for row in steps_shown(view) if len(row) == 4][:2] == [[f"t = {t}" for t in range(4)]] * 2
    assert all(edge.through_time for edge in view.edges if edge.role == "state")


def test_four_gates_come_out_of_one_split_and_states_lead_on():
    view = draw(lstm(3)).view
    role = {item.id: (item.role, item.symbol, item.label) for item in items(view)}
    of_split = [role[edge.target] for edge in view.edges if role[edge.source][1] == "split"]
    assert of_split[:4] == [
        ("gate", "σ", "input"), ("gate", "σ", "forget"), ("gate", "tanh", "cell"), ("gate", "σ", "output"),
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
    assert "weight_hh_l0 (16, 4): 20 uses" in draw(lstm(20)).dot


def test_the_legend_lists_parameters_only_and_is_left_out_without_any():
    plain = ts.tensor(numbers(7, 16), requires_grad=True).named("w")
    assert draw(by_hand(3, weight=plain)).view.legend == []
    assert "uses" not in draw(by_hand(3, weight=plain)).dot
    assert [row.label for row in draw(by_hand(3)).view.legend] == ["w"]


def test_two_parameters_of_one_name_are_told_apart():
    assert {"embed.weight", "head.weight"} <= {row.label for row in draw(reading(2)).view.legend}


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


# ------------------------------------------------------------------------------------------------- what is left out


def test_a_thousand_steps_are_as_many_nodes_as_ten_and_quick():
    ten, thousand = draw(lstm(10)).view, lstm(1000)
    start = time.process_time()
    drawing = draw(thousand)
    text = drawing.dot
    assert time.process_time() - start < 2
    assert len(items(drawing.view)) == len(items(ten)) and len(drawing.view.edges) == len(ten.edges)
    assert steps_shown(drawing.view) == [["t = 0", "t = 1", "t = 2", "996 identical steps", "t = 999"]]
    assert "996 identical steps" in text and "t = 3 … 998" in text


def test_how_many_steps_to_show():
    output = lstm(10)
    assert steps_shown(draw(output, steps=(1, 2)).view) == [["t = 0", "t = 1", "6 identical steps", "t = 8", "t = 9"]]
    assert len(steps_shown(draw(output, steps=(10, 0)).view)[0]) == 10
    assert steps_shown(draw(lstm(5)).view) == [[f"t = {t}" for t in range(5)]]  # a box for one step would be no shorter


@pytest.mark.parametrize(
    "change",
    [
        lambda t, h: h.tanh().named("h") if t == 11 else h,
        lambda t, h: (h * 2.0 if t == 11 else h * 1.0 if t < 0 else h),
        lambda t, h: h.named("other") if t == 11 else h,
    ],
)
def test_a_step_that_differs_is_never_left_out(change):
    shown = steps_shown(draw(by_hand(30, change)).view)[0]
    assert "t = 11" in shown and len(shown) < 12


def test_a_step_with_another_weight_of_the_same_name_is_never_left_out():
    w, other = (ts.nn.Parameter(numbers(3, 3, seed=i)).named("w") for i in range(2))
    h = ts.tensor(numbers(2, 3))
    for t in range(30):
        with ts.scope(step=t):
            h = (h @ (other if t == 20 else w)).tanh().named("h")
    assert "t = 20" in steps_shown(draw(h).view)[0]


@pytest.mark.parametrize("outside", [False, True])
def test_a_step_that_reads_another_slice_is_never_left_out(outside):
    x = ts.tensor(numbers(30, 3), requires_grad=True)
    slices = x.unstack() if outside else [None] * 30
    h = ts.tensor(numbers(3))
    for t in range(30):
        at = 14 if t == 15 else t
        with ts.scope(step=t):
            h = (h + (slices[at] if outside else x[at])).tanh().named("h")
    shown = steps_shown(draw(h).view)[0]
    assert "t = 15" in shown and len(shown) < 12


def test_a_step_whose_state_is_used_once_more_is_never_left_out():
    states = []
    last = by_hand(30, lambda t, h: states.append(h) or h)
    assert "t = 17" in steps_shown(draw(last.sum() + states[17].sum()).view)[0]


def test_a_chain_without_scopes_is_drawn_whole_however_deep():
    x = ts.tensor([1.0], requires_grad=True)
    for _ in range(300):
        x = x.tanh()
    assert len(items(draw(x).view)) == 301
    for _ in range(100_000):
        x = x.tanh()
    assert draw(x).dot.count("->") == 100_300


def test_two_loops_in_one_place_stay_apart():
    w = ts.nn.Parameter(numbers(3, 3)).named("w")
    h = ts.tensor(numbers(2, 3))
    for t in [*range(3), *range(3)]:
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
    assert steps_shown(draw(h).view) == [["t = 0", "t = 1", "t = 2"]] * 2


@needs_graphviz
def test_loops_in_steps_and_ops_between_them(tmp_path):
    w = ts.nn.Parameter(numbers(3, 3)).named("w")
    h = ts.tensor(numbers(2, 3))
    for t in range(12):
        with ts.scope(step=t):
            for s in range(3):
                with ts.scope(step=s):
                    h = (h @ w).tanh().named("h")
        h = h * 0.5
    drawing = draw(h)
    assert steps_shown(drawing.view)[0] == ["t = 0", "t = 1", "t = 2", "8 identical steps", "t = 11"]
    drawing.save(tmp_path / "x.svg")


def test_same_again_is_about_ops_wiring_and_time():
    nodes = ancestors([by_hand(6).node])
    places = Places([node for node in nodes if node.op is not None])
    kinds = [same_again(places, nodes)[step] for step in places.loops[0]]
    assert len(set(kinds[1:5])) == 1 and kinds[0] != kinds[1] != kinds[5]


# ------------------------------------------------------------------------------------------------------------- text

awkward = [
    'say "hi"', "back\\slash \\N \\", "two\nlines", "<b>bold</b>", "<>", "日本 ĥ₀ 🎈", "", "x" * 10_000, "&amp;",
    "a\x00b", "{|}",
]  # fmt: skip


@needs_graphviz
@pytest.mark.parametrize("name", awkward)
def test_names_are_text(name, tmp_path):
    x = ts.tensor([1.0, 2.0], requires_grad=True).named(name)
    with ts.scope(module=name), ts.scope(step=name):
        y = (x * x).named(name)
    draw(y.sum().named(name)).save(tmp_path / "x.svg")
    tree = ElementTree.parse(tmp_path / "x.svg")
    texts = "\n".join(t.text or "" for t in tree.iter("{http://www.w3.org/2000/svg}text")).replace("\xa0", " ")
    label = re.sub(r"\s+", " ", name.replace("\x00", "\ufffd"))
    assert (label if len(label) < 25 else label[:23] + "…") in texts
    titles = "\n".join(a.get("{http://www.w3.org/1999/xlink}title", "") for a in tree.iter())
    assert re.sub(r"\s+", " ", name.replace("\x00", "\ufffd")) in re.sub(r"\s+", " ", titles)


def test_colours_have_six_digits():
    colours = re.findall(r'color="?(#[^\s"]*)', draw(lstm(3)).dot)
    assert colours and all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)


def test_tooltips_say_op_shape_dtype_and_scope():
    gate = next(item for item in items(draw(lstm(3)).view) if item.label == "forget")
    assert gate.tooltip == "forget\nsigmoid\n(2, 4) float32\nLSTM / layer 0 / forward / t = 0"


def test_the_same_text_in_every_process():
    code = (
        "import tests.test_drawing as t; from tinygrad_seq.drawing import draw;"
        "print(draw([t.lstm(20, num_layers=2, bidirectional=True), t.by_hand(4), t.reading(9)]).dot)"
    )
    texts = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1 and b"digraph" in texts.pop()


def test_the_same_text_twice_in_one_process():
    assert draw(lstm(20)).dot == draw(lstm(20)).dot


# ----------------------------------------------------------------------------------------------------------- saving


@needs_graphviz
@pytest.mark.parametrize("kind, start", [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")])
def test_saving(kind, start, tmp_path):
    draw(lstm(10)).save(tmp_path / f"x.{kind}")
    assert (tmp_path / f"x.{kind}").read_bytes().startswith(start)


@needs_graphviz
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_time_runs_from_left_to_right(options, tmp_path):
    draw(lstm(10, **options)).save(tmp_path / "x.svg")
    places: dict[str, list[float]] = {}
    tree = ElementTree.parse(tmp_path / "x.svg")
    for group in tree.iter("{http://www.w3.org/2000/svg}g"):
        name = group.get("id", "")
        if group.get("class") == "cluster" and re.search(r"/step-[^/]*$", name):
            path = next(group.iter("{http://www.w3.org/2000/svg}path")).get("d", "")
            step, left = int(re.search(r"step-(\d+)", name)[1]), float(path[1:].split(",")[0])
            places.setdefault(name.rpartition("/")[0], []).append((step, left))
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
    view = build([by_hand(3).node], 3, 1)
    assert isinstance(Drawing(view).dot, str) and all(type(item.ordinal) is int for item in items(view))
