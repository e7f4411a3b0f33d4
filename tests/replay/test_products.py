"""Products in a compiled loop are those of NumPy, whichever way they are computed; small and tall ones are sooner so.

How it is computed depends on the processor: here it is said, and limits are low, so that small products are large.
"""

import importlib

import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn

pytest.importorskip("numba", reason="compiled programs need Numba: pip install 'tinygrad-seq[compile]'")
products = importlib.import_module("tinygrad_seq.replay.compiled.products")


@pytest.fixture
def limits(request, monkeypatch):
    """Let products of so many multiplications be small, without AVX512 if negative; and blocks of columns narrow."""
    most = request.param
    monkeypatch.setattr(products, "without_copies", lambda: most > 0)
    monkeypatch.setattr(products, "most", abs(most))
    monkeypatch.setattr(products, "width", 32)  # bytes: four numbers
    return most


def steps_of(h, w, count=9):
    """Multiply a state by a matrix at every step."""
    for _ in range(count):
        h = (h @ w).tanh()
    return h


over_elements = pytest.mark.parametrize("passes", ["over elements"], indirect=True)


@over_elements
@pytest.mark.parametrize("limits", [-1], indirect=True)
@pytest.mark.parametrize(
    ("rows", "inner", "is_loop"), [(1, 8, True), (1, 64, True), (1, 12, False), (1, 72, False), (2, 8, False)]
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_a_small_product_is_a_loop(passes, limits, rows, inner, is_loop, is_turned):
    ts.manual_seed(0)
    w, h = ts.randn(inner, inner, dtype="float64") / inner**0.5, ts.randn(rows, inner, dtype="float64")
    run = lambda h: steps_of(h, w.transpose() if is_turned else w)
    fast = ts.replay(run)
    assert_agree(run(h), fast(h))
    assert ("np.dot(" in fast.source) != is_loop


@over_elements
@pytest.mark.parametrize("rows", [6, 7])
@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (-5 * 64, "np.dot("),
        (-4 * 32, "np.dot("),
        (7 * 64, "np.dot("),  # it is small
        (5 * 64, "for i in range(0, {}, 4)"),
        (4 * 64, "for i in range(0, {}, 4)"),
        (4 * 64 - 1, "np.empty((2, {}, 4)"),
        (4 * 32, "[i:i + 4], ordered[q], pieces[q][i:i + 4])"),
        (4 * 32 - 1, "np.dot("),  # too few rows at once
    ],
    indirect=["limits"],
)
def test_a_large_product_is_one_of_blocks(passes, limits, rows, says):
    ts.manual_seed(0)
    w, h = ts.randn(8, 8, dtype="float64") / 8**0.5, ts.randn(rows, 8, dtype="float64")
    run = lambda h: steps_of(h, w)
    fast = ts.replay(run)
    assert_agree(run(h), fast(h))
    assert says.format(rows) in fast.source
    assert ("[i:" not in fast.source) == says.startswith("np.dot(")


@over_elements
@pytest.mark.parametrize("limits", [4 * 32], indirect=True)
@pytest.mark.parametrize(
    "run",
    [
        lambda h, w: steps_of(h, w, count=7),  # to put the matrix in order takes as long as it saves
        lambda h, w: [h := (h @ ts.concatenate([w, w[:, :2]], 1))[:, 1:9] for _ in range(9)][-1],
        lambda h, w: [h := h[:, :2] @ w[:2] + h @ w for _ in range(9)][-1],
        lambda h, w: [h := (h @ (w * h.sum())).tanh() for _ in range(9)][-1],  # it is another at every step
        lambda h, w: [h := (h.transpose() @ h).tanh()[:6] for _ in range(9)][-1],
    ],
)
def test_other_products_are_what_they_are(passes, limits, run):
    ts.manual_seed(0)
    w, h = ts.randn(8, 8, dtype="float64") / 8**0.5, ts.randn(6, 8, dtype="float64") / 3
    fast = ts.replay(run)
    assert_agree(run(h, w), fast(h, w))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_are_compiled(monkeypatch, dtype):
    monkeypatch.setattr(products, "without_copies", lambda: True)
    ts.manual_seed(0)
    layer, x = nn.LSTM(16, 160).to(dtype), ts.randn(9, 33, 16, dtype=dtype)

    def step():
        layer.zero_grad()
        loss = (layer(x)[0] ** 2).mean()
        loss.backward()
        return loss

    fast, wanted = ts.replay(step, compile=True), step()
    gradients = [p.grad for p in layer.parameters()]
    assert_agree(wanted, fast())
    for one, p in zip(gradients, layer.parameters()):
        assert_agree(one, p.grad)
    assert "[i:i + 8]" in fast.source


@over_elements
@pytest.mark.parametrize("limits", [-1, 4 * 8, 4 * 32], indirect=True)
@pytest.mark.parametrize(
    ("shape", "other"), [((2, 3, 8), (2, 8, 4)), ((3, 8), (2, 8, 4)), ((1, 9, 8), (2, 8, 4)), ((2, 2, 9, 8), (8, 4)),
                         ((2, 1, 1, 8), (1, 3, 8, 8))]
)  # fmt: skip
@pytest.mark.parametrize("turned", [None, (-1, -2), (0, 1)])
def test_a_batch_of_products_is_one_after_another(passes, limits, shape, other, turned):
    """Both factors are carried from step to step, so that none of the products can come first."""
    ts.manual_seed(0)
    x, y = ts.randn(*shape, dtype="float64"), ts.randn(*other, dtype="float64")
    y = ts.tensor(y.swapaxes(*turned).numpy().copy()) if turned else y

    def run(x, y):
        for _ in range(9):
            z = x @ (y.swapaxes(*turned) if turned else y)
            x = (x + z.mean()).tanh()
            y = y * 0.5 + x.mean()
        return x, y, z

    fast = ts.replay(run)
    for one, other in zip(run(x, y), fast(x, y), strict=True):
        assert_agree(one, other)
    assert "not compiled" not in fast.source
