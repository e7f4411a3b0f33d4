"""What a checkpoint would compute otherwise the second time is refused, and no `.grad` changes."""

import threading

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn


class TestRefusals:
    """What would differ is refused, and no `.grad` changes."""

    def refused(self, loss, leaf, match="something else"):
        with pytest.raises(RuntimeError, match=f"checkpoint: .*{match}"):
            loss.backward()
        assert leaf.grad is None

    def test_a_generator_of_its_own(self):
        x, generator = ts.ones(8, requires_grad=True), np.random.default_rng(0)
        self.refused(ts.checkpoint(lambda x: x * ts.rand(8, generator=generator), x).sum(), x)

    def test_a_variable_that_stands_for_something_else(self):
        w, found = ts.ones(2, requires_grad=True), []
        for x in (ts.ones(2), ts.full((2,), 2.0)):
            found.append(ts.checkpoint(lambda: (w * x).sum()))  # noqa: B023 (the mistake)
        self.refused(ts.stack(found).sum(), w)

    def test_another_path(self):
        x, count = ts.ones(2, requires_grad=True), []

        def f(x):
            count.append(0)
            return x * 1.0 if len(count) > 1 else x + 0.0 * x

        self.refused(ts.checkpoint(f, x).sum(), x)

    def test_a_parameter_that_was_changed(self):
        layer = nn.Linear(2, 2)
        loss = ts.checkpoint(layer, ts.ones(1, 2)).sum()
        layer.weight.assign(layer.weight.detach() * 1.001)
        self.refused(loss, layer.bias, "weight was changed")

    def test_what_no_value_shows(self):
        """Everything is 0 whatever was drawn, looked up, or left out; the gradients differ."""
        w, found, generator = ts.zeros(8, requires_grad=True), [], np.random.default_rng(0)
        self.refused(ts.checkpoint(lambda w: w * ts.rand(8, generator=generator), w).sum(), w)
        for x in (ts.ones(8), ts.full((8,), 2.0)):
            found.append(ts.checkpoint(lambda: (w * x).sum()))  # noqa: B023 (the mistake)
        self.refused(ts.stack(found).sum(), w)
        for i in range(2):
            found[i] = ts.checkpoint(lambda: w[i].relu())  # noqa: B023
        self.refused(ts.stack(found).sum(), w)
        dropout = nn.Dropout(0.5)
        loss = ts.checkpoint(lambda: dropout(w).sum())
        dropout.eval()
        self.refused(loss, w)

    def test_one_element_of_many(self):
        w, shift = ts.ones(100_000, requires_grad=True), [ts.zeros(100_000)]
        loss = ts.checkpoint(lambda: w * 2.0 + shift[0]).sum()
        shift[0] = ts.tensor(np.eye(1, 100_000, 777, "float32")[0])
        self.refused(loss, w)

    def test_another_thread_draws_meanwhile(self):
        w = ts.ones(8, requires_grad=True)
        other = threading.Thread(target=lambda: ts.rand(1))

        def f():
            y = w * nn.dropout(ts.ones(8), 0.5)
            if other.ident is None:
                other.start()
                other.join()
            return y

        self.refused(ts.checkpoint(f).sum(), w)

    def test_another_number_of_results(self):
        w, more = ts.ones(2, requires_grad=True), [3.0]
        loss = ts.checkpoint(lambda: [w * factor for factor in [2.0, *more]])[0].sum()
        more.clear()
        self.refused(loss, w)

    def test_a_graph_that_the_function_freed(self):
        def f(x):
            y = x * x
            y.sum().backward()
            return y

        with pytest.raises(RuntimeError, match="freed by an earlier backward"):
            ts.checkpoint(f, ts.ones(2, requires_grad=True)).sum().backward()

    def test_a_leaf_made_inside(self):
        with pytest.raises(RuntimeError, match="checkpoint: the function makes a leaf"):
            ts.checkpoint(lambda: (ts.ones(2, requires_grad=True) * 2.0).sum())

    def test_a_gradient_kept_inside(self):
        def f(x):
            y = x * 2.0
            y.retain_grad()
            return y * y

        with pytest.raises(RuntimeError, match=r"checkpoint: .* calls retain_grad"):
            ts.checkpoint(f, ts.ones(2, requires_grad=True))

    def test_a_hook_that_would_hear_parts(self):
        def f(x):
            y = x.tanh()
            y.register_hook(lambda g: g * 2.0)
            return (y * y, *[z := y.sin(), z * z][1:], z)

        x = ts.ones(2, requires_grad=True)
        with pytest.raises(RuntimeError, match=r"checkpoint: a hook .* parts"):
            ts.checkpoint(f, x)
        with pytest.raises(RuntimeError, match=r"checkpoint: .*create_graph=True .* parts"):
            ts.grad(ts.checkpoint(lambda x: f(x)[0], x).sum(), x, create_graph=True)

    @pytest.mark.parametrize("function", [None, "f", ts.ones(2), 3])
    def test_no_function(self, function):
        with pytest.raises(TypeError, match="checkpoint: expected a function"):
            ts.checkpoint(function, ts.ones(2))
