"""A notebook shows what was found: its plot and its text, whatever the numbers, and the text alone where it must."""

import importlib
import pickle
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from test_flow_plots import NETWORKS, findings

import tinygrad_seq as ts
from tinygrad_seq import nn

SVG = "image/svg+xml"


def lines(figure):
    """What a plot shows: the numbers of its lines by label."""
    return {line.get_label(): line.get_xydata().tolist() for axes in figure.axes for line in axes.lines}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_found_shows_its_plot_also_after_the_graph_was_freed(name):
    pytest.importorskip("matplotlib")
    network = NETWORKS[name]()
    monitor = ts.flow.Monitor(network)
    for found in [*findings(network, 5), monitor]:
        monitor.backward((network(ts.ones(5, 1, 2))[0] ** 2).sum())
        shown = found._repr_mimebundle_()
        assert shown["text/plain"] == repr(found)
        assert ET.fromstring(shown[SVG]).tag.endswith("svg") and shown[SVG].startswith("<svg")
        assert list(found._repr_mimebundle_(exclude=[SVG])) == ["text/plain"]


def test_a_figure_shows_itself_the_same_each_time():
    pytest.importorskip("matplotlib")
    found = next(findings(nn.RNN(2, 3), 3))
    assert found.plot()._repr_mimebundle_(include=[SVG]) == found._repr_mimebundle_(exclude=["text/plain"])


def test_without_matplotlib_the_text_is_shown(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    everything = [*findings(nn.RNN(2, 3), 3)]
    monkeypatch.setattr(importlib, "import_module", refuse)
    for found in everything:
        assert found._repr_mimebundle_() == {"text/plain": repr(found)}


def test_a_figure_is_a_figure_as_all_others(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    figure = next(findings(nn.RNN(2, 3), 3)).plot()
    assert isinstance(figure, matplotlib.figure.Figure)
    assert pickle.loads(pickle.dumps(figure)).svg() == figure.svg()


def test_a_plot_is_modest_in_size():
    pytest.importorskip("matplotlib")
    out, _ = nn.RNN(1, 1)(ts.randn(1200, 1, 1))
    assert len(ts.flow.record(out[-1].sum()).plot().svg()) < 200_000
    assert len(ts.flow.influence(out[-1].sum(), ts.flow.states(out)).plot().svg()) < 200_000


def test_the_influence_on_one_loss_is_a_line_and_says_its_zeros():
    pytest.importorskip("matplotlib")
    out, _ = nn.GRU(2, 3)(ts.randn(9, 1, 2))
    h = ts.flow.states(out)
    found = ts.flow.influence(h[5].sum(), h)
    shown = lines(found.plot())
    assert [x for x, _ in shown["exactly 0"]] == [6, 7, 8] and "exactly 0: 6 to 8" in repr(found)
    (line,) = [points for label, points in shown.items() if label != "exactly 0"]
    np.testing.assert_array_equal([y for _, y in line[:6]], found.map[0, :6])
    assert np.isnan([y for _, y in line[6:]]).all()
    assert "exactly 0" not in repr(ts.flow.influence(h[8].sum(), h))
    gap = ts.flow.influence((h[2] + h[8] * 0.0).sum(), [h[0], h[7], h[1], h[8]])
    assert "exactly 0: 1, 3" in repr(gap)


def test_the_derivation_keeps_its_zero_term():
    pytest.importorskip("matplotlib")
    found = ts.flow.derivation(nn.RNN(1, 1).to("float64"), [[0.5], [-1.0], [0.3]])
    assert lines(found.plot())["exactly 0"] == [[3, 0]]


def test_what_is_not_finite_is_said_and_hides_nothing_else():
    pytest.importorskip("matplotlib")
    found = ts.flow.Items("w", np.array([[1.0], [np.inf], [np.nan], [0.0], [2.0]]), list("abcde"), [""] * 5, [[]] * 5)
    shown = lines(found.plot())
    assert [x for x, _ in shown["inf or NaN"]] == [1, 2] and [x for x, _ in shown["exactly 0"]] == [3]
    for numbers in ([[np.nan, 0.0], [np.inf, 1.0]], [[np.inf] * 2] * 2, [[0.0] * 2] * 2, [[1.0] * 2] * 2):
        title = ts.flow.Influence(np.array(numbers), "hand", [None, None]).plot().axes[0].get_title()
        assert ("white" in title) == (0.0 in np.ravel(numbers))
        assert ("grey" in title) == (not np.isfinite(numbers).all())


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_steps_are_counted_in_whole_numbers(steps):
    pytest.importorskip("matplotlib")
    for found in findings(nn.RNN(2, 3), steps):
        figure = found.plot()
        figure.canvas.draw()
        axes = figure.axes[0]
        ticks = [*axes.get_xticks(), *(axes.get_yticks() if axes.images else [])]
        assert all(float(tick).is_integer() for tick in ticks), (type(found), ticks)
