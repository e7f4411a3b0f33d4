"""Check the derivation of backpropagation through time against the recorded graph.

For h_t = tanh(W_x x_t + b + W_s h_{t-1}) and a loss of the last state h_T, the chain rule gives the gradient as a sum
over the uses of W_s, where k = 1 is the use in the last step, k = 2 the use one step earlier, and so on:

    dL/dW_s = sum_k (P_k^T dL/dh_T) h_{T-k}^T,    P_k = D_T W_s D_{T-1} W_s ... D_{T-k+1},    D_t = diag(1 - h_t^2)

Each P_k contains the factor W_s k - 1 times: for one unit that is W_s^(k-1), which is why gradients vanish or explode.
This module computes the terms by the formula alone, from the weights and the input, and compares them with the shares
that `itemize` reads off the graph.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.functions.reductions import sum as total
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.flow.gradient_by_step import itemize
from tinygrad_seq.flow.show import ACCENT, Plotted, axes_for, finish, plot_lengths
from tinygrad_seq.flow.states import states
from tinygrad_seq.nn.rnn import RNN


class Derivation(Plotted):
    """Hold the terms of the sum, computed in both ways. Index k - 1 of an array belongs to the k-th use, counted back.

    `terms` (T, H, H) are computed by the formula and `items` (T, H, H) from the graph; `products` (T, B, H, H) are the
    P_k and `powers` (T, H, H) the W_s^(k-1). Printed, it is a table with a row for each use.

    >>> import tinygrad_seq as ts
    >>> found = ts.flow.derivation(ts.nn.RNN(2, 3), ts.randn(4, 2))
    >>> found.terms.shape, found.products.shape, found.product(2)
    ((4, 3, 3), (4, 1, 3, 3), 'D4 W D3')
    """

    def __init__(self, terms: Any, items: Any, products: Any, powers: Any) -> None:
        self.terms, self.items, self.products, self.powers = terms, items, products, powers

    def product(self, k: int) -> str:
        """Return P_k in symbols, for the k-th use counted back, such as "D4 W D3" for k = 2 of 4 steps."""
        last = len(self.terms)
        return " W ".join(f"D{last - back}" for back in range(k))

    def __repr__(self) -> str:
        count, size = self.terms.shape[:2]
        differences = abs(self.terms - self.items)
        numbers = {"by formula": self.terms, "from graph": self.items}
        if size == 1:
            numbers = {"W^(k-1)": self.powers, **numbers}
        rows = [["k", "use in", "product P_k", *numbers, "difference"]]
        for k in range(1, count + 1):
            product = self.product(k) if k < 6 else f"{self.product(2)} W ... D{count - k + 1}"
            cells = [in_one_line(column[k - 1]) for column in numbers.values()]
            rows.append([str(k), f"step {count - k + 1}", product, *cells, f"{differences[k - 1].max():.1e}"])
        sums = [in_one_line(column.sum(0)) for column in (self.terms, self.items)]
        rows.append(["", "", "sum: dL/dW", *[""] * (size == 1), *sums, f"{differences.max():.1e}"])
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def plot(self, axes: Any = None) -> Any:
        """Plot the norm of every term, by how far back its use lies, computed in both ways; return the Figure."""
        axes = axes_for(axes)
        back = range(1, len(self.terms) + 1)
        plot_lengths(axes, back, [norm(item) for item in self.items], "-", label="from the graph")
        plot_lengths(axes, back, [norm(term) for term in self.terms], "o", color=ACCENT, mfc="none", markersize=7,
                     label="by the formula")  # fmt: skip
        return finish(axes, "how many uses back", "length of the term", "The gradient of $W_s$, term by term")


def in_one_line(matrix: Any) -> str:
    """Return the entries of a matrix of at most 4 numbers, the norm of a larger one."""
    if matrix.size > 4:
        return f"|{norm(matrix):.6g}|"
    return " ; ".join(" ".join(f"{number:.6g}" for number in row) for row in matrix.tolist())


def derivation(rnn: RNN, x: Any, loss: Callable[[Any], Any] = total) -> Derivation:
    """Return the gradient of a tanh RNN's recurrent weight as a sum over its uses, counted back, computed in two ways.

    dL/dW_s = sum_k (P_k^T dL/dh_T) h_{T-k}^T with P_k = D_T W_s ... W_s D_{T-k+1}, D_t = diag(1 - h_t^2) and h_0 = 0,
    by this formula, and as the shares that the recorded graph gives. `rnn` has one layer, one direction and tanh; x is
    (T, I) or (T, B, I); `loss` maps the last state (B, H) to a number, its sum by default. Print the result: a table.
    Steps count from 1, as on the blackboard. Raises ValueError for another network, an input of another shape, or a
    loss that is not a Tensor of one element.

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
    try:
        given = tensor(x, cell.weight_ih.dtype, cell.weight_ih.device)
    except (TypeError, ValueError) as error:
        raise type(error)(f"derivation: x: {error}") from None
    out, _ = rnn(given)
    last = states(out)[-1]
    value = loss(last)
    if not isinstance(value, Tensor) or value.size != 1:
        raise ValueError(f"derivation: loss must return a Tensor of one element (.sum(), .mean()), got {value!r:.60}")
    shares = itemize(value, cell.weight_hh)
    if shares.steps != [*range(len(given))]:
        raise ValueError("derivation: loss must depend on the last state alone, this one reads the weight W_s, too")
    items = shares.items[::-1]
    g = grad(value, last, retain_graph=True).numpy()

    w_x, w_s = cell.weight_ih.numpy(), cell.weight_hh.numpy()
    b = sum(bias.numpy() for bias in (cell.bias_ih, cell.bias_hh) if bias is not None)
    h = [host.zeros_like(g)]
    for x_t in to_host(given.array).reshape(len(given), -1, w_x.shape[1]):
        h.append(host.tanh(x_t @ w_x.T + b + h[-1] @ w_s.T))
    terms, products, powers = [], [], []
    product = power = factor = host.eye(len(w_s), dtype=w_s.dtype)
    for t in range(len(given), 0, -1):
        slope = 1.0 - h[t] ** 2  # (B, H): the diagonal of D_t
        product = product @ factor * slope[:, None, :]
        products.append(product)
        powers.append(power)
        terms.append(host.einsum("bij,bi,bk->jk", product, g, h[t - 1]))
        power, factor = power @ w_s, w_s
    return Derivation(*map(host.stack, (terms, items, products, powers)))
