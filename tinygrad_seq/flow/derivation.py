"""The derivation on the blackboard, checked against the graph.

For h_t = tanh(W_x x_t + b + W_s h_{t-1}) and a loss of the last state h_T, the chain rule gives the gradient as a sum
over how far back a use of W_s lies, k = 1 for the use in the last step:

    dL/dW_s = sum_k (P_k^T dL/dh_T) h_{T-k}^T,    P_k = D_T W_s D_{T-1} W_s ... D_{T-k+1},    D_t = diag(1 - h_t^2)

Each P_k has k - 1 factors W_s: for one unit that is W_s^(k-1), which is why memory fades or explodes. Here the terms
are computed by this formula alone, from the weights and the input, and set beside the shares that the graph gives.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.functions.reductions import sum as total
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.flow.gradient_by_step import itemize
from tinygrad_seq.flow.plot import ACCENT, INK, axes_for, logarithmic
from tinygrad_seq.flow.states import states
from tinygrad_seq.nn.rnn import RNN


class Derivation:
    """Index k - 1 holds what is k uses back: `terms` (T, H, H) by the formula, `items` (T, H, H) from the graph,
    `products` P_k (T, B, H, H), `powers` W_s^(k-1) (T, H, H).
    """

    def __init__(self, terms: Any, items: Any, products: Any, powers: Any) -> None:
        self.terms, self.items, self.products, self.powers = terms, items, products, powers

    def product(self, k: int) -> str:
        """P_k in letters, for the k-th use back."""
        last = len(self.terms)
        return " W ".join(f"D{last - back}" for back in range(k))

    def __repr__(self) -> str:
        count, size = self.terms.shape[0], self.terms.shape[1]
        shown = [self.product(k) if k < 6 else f"{self.product(2)} W ... D{count - k + 1}" for k in range(1, count + 1)]
        numbers = [self.terms, self.items] if size > 1 else [self.powers, self.terms, self.items]
        columns = [["k", "use in", "product P_k"], ["by formula", "from graph", "difference"]]
        heads = [*columns[0], *["W^(k-1)"] * (size == 1), *columns[1]]
        rows = [
            [str(k + 1), f"step {count - k}", shown[k], *[figures(n[k]) for n in numbers], self.difference(k)]
            for k in range(count)
        ]
        whole = [figures(self.terms.sum(0)), figures(self.items.sum(0)), f"{abs(self.terms - self.items).max():.1e}"]
        rows.append(["", "", "sum: dL/dW", *[""] * (size == 1), *whole])
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
        return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths)).rstrip() for row in [heads, *rows])

    def difference(self, k: int) -> str:
        return f"{abs(self.terms[k] - self.items[k]).max():.1e}"

    def plot(self, axes: Any = None) -> Any:
        """The length of every term by how far back its use lies, by formula and from the graph; returns the Figure."""
        axes = axes_for(axes)
        back = range(1, len(self.terms) + 1)
        axes.plot(back, [norm(item) for item in self.items], color=INK, label="from the graph")
        axes.plot(back, [norm(term) for term in self.terms], "o", color=ACCENT, mfc="none", label="by the formula")
        axes.set(xlabel="how many uses back", ylabel="length of the term", title="The gradient of $W_s$, term by term")
        axes.legend(frameon=False)
        logarithmic(axes)
        return axes.figure


def figures(matrix: Any) -> str:
    """A small matrix in one line, of a larger one its length."""
    if matrix.size > 4:
        return f"|{norm(matrix):.6g}|"
    return " ; ".join(" ".join(f"{number:.6g}" for number in row) for row in matrix.tolist())


def derivation(rnn: RNN, x: Any, loss: Callable[[Any], Any] = total) -> Derivation:
    """The gradient of a tanh network's recurrent weight as a sum over how far back a use lies, computed twice.

    dL/dW_s = sum_k (P_k^T dL/dh_T) h_{T-k}^T with P_k = D_T W_s ... W_s D_{T-k+1}, D_t = diag(1 - h_t^2) and h_0 = 0,
    by this formula, and as the recorded graph's shares. `rnn` has one layer, one direction and tanh; x is (T, I) or
    (T, B, I); `loss` makes a number of the last state (B, H), its sum if none is given. Print it: a table.
    Steps count from 1, as on the blackboard. Raises ValueError for another network.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(1, 1, bias=False).to("float64")
    >>> rnn.weight_ih_l0.assign([[1.0]])
    >>> rnn.weight_hh_l0.assign([[0.5]])
    >>> ts.flow.derivation(rnn, [[0.5], [0.0], [0.0]])  # doctest: +ELLIPSIS
    k  use in  product P_k   W^(k-1)  by formula  from graph  difference
    1  step 3  D3            1        0.224132    0.224132    ...
    2  step 2  D3 W D2       0.5      0.216349    0.216349    ...
    3  step 1  D3 W D2 W D1  0.25     0           0           ...
               sum: dL/dW             0.440481    0.440481    ...
    """
    if not isinstance(rnn, RNN) or rnn.num_layers > 1 or len(rnn.directions) > 1 or rnn.batch_first:
        raise ValueError(f"derivation: expected an RNN of one layer and one direction, time first, got {rnn!r:.60}")
    cell: Any = rnn.cells[0][0]
    if cell.nonlinearity != "tanh":
        raise ValueError(f"derivation: the formula is for tanh, this RNN has {cell.nonlinearity}")
    given = tensor(x, cell.weight_ih.dtype, cell.weight_ih.device)
    out, _ = rnn(given)
    last = states(out)[-1]
    value = loss(last)
    items = itemize(value, cell.weight_hh).items[::-1]
    g = grad(value, last, retain_graph=True).numpy()

    w_x, w_s = cell.weight_ih.numpy(), cell.weight_hh.numpy()
    b = sum(bias.numpy() for bias in (cell.bias_ih, cell.bias_hh) if bias is not None)
    steps = to_host(given.array).reshape(len(given), -1, w_x.shape[1])
    h = [host.zeros_like(g)]
    for x_t in steps:
        h.append(host.tanh(x_t @ w_x.T + b + h[-1] @ w_s.T))
    terms, products, powers = [], [], [host.eye(len(w_s), dtype=w_s.dtype)]
    product: Any = None
    for t in range(len(steps), 0, -1):
        slope = 1.0 - h[t] ** 2  # (B, H): the diagonal of D_t
        if product is None:
            product = slope[:, :, None] * powers[0]
        else:
            product = product @ w_s * slope[:, None, :]
            powers.append(powers[-1] @ w_s)
        products.append(product)
        terms.append(host.einsum("bij,bi,bk->jk", product, g, h[t - 1]))
    return Derivation(*map(host.stack, (terms, items, products, powers)))
