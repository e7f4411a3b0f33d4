"""What was found can be plotted: into a figure of its own or axes that are given, whatever the numbers."""

import importlib

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn

NETWORKS = {"usual": lambda: nn.RNN(2, 3), "dead": lambda: quiet(nn.RNN(2, 3))}


def quiet(rnn):
    for parameter in rnn.parameters():
        parameter.assign(parameter * 0.0)
    return rnn


def findings(rnn, steps):
    out, _ = rnn(ts.ones(steps, 1, 2))
    h, loss = ts.flow.states(out), (out * out).sum()
    yield ts.flow.itemize(loss, rnn.weight_hh_l0)
    yield ts.flow.influence([h_t.sum() for h_t in h], h)
    yield ts.flow.influence([loss * 0.0], h)
    yield ts.flow.record(loss)
    yield ts.flow.derivation(rnn, np.ones((steps, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("steps", [1, 5])
def test_everything_can_be_plotted(name, steps, tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    for found in findings(NETWORKS[name](), steps):
        assert repr(found)
        found.plot().savefig(tmp_path / "own.png")
        given = figure.add_subplot()
        assert found.plot(given) is figure and given.get_title()
    figure.savefig(tmp_path / "given.png")
    monitor = ts.flow.Monitor(NETWORKS[name]())
    monitor.plot().savefig(tmp_path / "empty.png")
    monitor.backward((monitor.model(ts.ones(steps, 1, 2))[0] ** 2).sum())
    monitor.plot().savefig(tmp_path / "monitor.png")


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    found = next(findings(nn.RNN(2, 3), 2))
    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(RuntimeError, match=r'pip install "tinygrad-seq\[plot\]"'):
        found.plot()
