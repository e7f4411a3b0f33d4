"""Graphs to draw, and how the tests of drawing read what is drawn."""

import importlib.util
from functools import cache
from pathlib import Path
from shutil import which

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq.drawing.view.model import Cluster, Item, View, within

needs_graphviz = pytest.mark.skipif(which("dot") is None, reason="Graphviz is not installed")


@cache
def figures():
    """The program that draws the figures of the docs."""
    path = Path(__file__).parents[1] / "docs" / "figures" / "make.py"
    spec = importlib.util.spec_from_file_location("make", path)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


@cache
def picture(name):
    """A picture of the gallery."""
    return figures().gallery.GALLERY[name]()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def clusters(view: View) -> list[Cluster]:
    return list(within(view.top))


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


def loops_in_steps(outer, inner, between=True):
    """A loop in every step of a loop, with the same weight; and an op between the steps."""
    w, h = ts.nn.Parameter(numbers(3, 3)).named("w"), ts.tensor(numbers(2, 3))
    for t in range(outer):
        with ts.scope(step=t):
            for s in range(inner):
                with ts.scope(step=s):
                    h = (h @ w).tanh().named("h")
        h = h * 0.5 if between else h
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
