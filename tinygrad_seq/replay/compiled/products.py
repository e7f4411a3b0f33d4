"""How a compiled loop multiplies matrices: by BLAS, in blocks that it takes as they are, or by a loop over elements.

Before OpenBLAS computes a product, it copies both matrices into another order, at every call. Where there is AVX512, it
does so for large products only, of more than 100 ** 3 multiplications. So these are computed in blocks: of some rows;
or, where that would be too few rows, of some columns as well. Then the matrix that is the same at every step is put in
order once, before the loop.
"""

import importlib.util
from typing import Any

from tinygrad_seq.replay.compiled.elements import Elements
from tinygrad_seq.replay.compiled.nest import filled, indexed
from tinygrad_seq.replay.passes.loops import Local
from tinygrad_seq.replay.text.element_forms import kind_of
from tinygrad_seq.replay.trace.tape import Equation, Ref

most = 100**3  # multiplications of a product that is computed without a copy
least_rows, least_steps = 4, 8  # of a block, and of a loop before which a matrix is put in order
width = 256  # bytes of a row of a block of columns
small = 2**12  # elements of a matrix whose product with one row takes BLAS longer than a loop


def without_copies() -> bool:
    """Tell whether BLAS computes small products without copying: OpenBLAS does, in one thread, where there is AVX512.

    With more threads, it shares out large products among them.
    """
    if importlib.util.find_spec("threadpoolctl") is None or importlib.util.find_spec("scipy") is None:
        return False
    importlib.import_module("scipy.linalg.blas")  # Numba's products are SciPy's
    found = importlib.import_module("threadpoolctl").threadpool_info()
    return any(
        each.get("architecture") in ("SkylakeX", "Cooperlake", "SapphireRapids") and each["num_threads"] == 1
        for each in found
    )


class Products(Elements):
    """Lines that multiply matrices."""

    def behind(self, x: Any) -> Any:
        """Return what a value is the transpose of, or each matrix of a batch; any other value as it is."""
        body = self.loop.body[x.position] if isinstance(x, Local) else None
        if body is None or body.function != "transpose":
            return x
        *batch, row, column = body.args[1]
        return body.args[0] if (*batch, column, row) == (*range(len(body.shape)),) else x

    def matrix(self, x: Any, batch: list[str]) -> str:
        """Return the text of an operand of a product, one matrix of a batch, to which it is broadcast."""
        inner = self.behind(x)
        name, at = self.place(inner)
        sizes = self.shape(inner)[:-2]
        own = ["0" if size == 1 else at_one for size, at_one in zip(sizes, batch[len(batch) - len(sizes) :])]
        return indexed(name, [*at, *own]) + (".T" if inner is not x else "")

    def product(self, equation: Equation, name: str, at: list[str]) -> list[str]:
        """Return the lines of a product of two matrices, or of all in two batches."""
        sizes = equation.shape[:-2]
        batch = [f"j{k}" for k in range(len(sizes))]
        left, right = (self.matrix(x, batch) for x in equation.args)
        lines = self.of_matrices(equation, left, right, indexed(name, [*at, *batch]))
        for variable, size in zip(batch[::-1], sizes[::-1]):
            lines = [f"for {variable} in range(n{size}):", *(f"    {line}" for line in lines)]
        return lines

    def of_matrices(self, equation: Equation, left: str, right: str, result: str) -> list[str]:
        """Return the lines of a product of two matrices, which have these texts."""
        rows, columns = equation.shape[-2:]
        inner = self.shape(equation.args[0])[-1]
        part = width // equation.dtype.itemsize
        is_plain = all(self.behind(x) is x for x in equation.args)
        if is_plain and rows == 1 and inner % 8 == 0 and inner * columns <= small:
            return of_one_row(left, right, result, equation)
        if is_plain and rows * inner * columns > most and without_copies():
            if inner * columns * least_rows <= most:
                return in_rows(left, right, result, rows, most // (inner * columns))
            is_same = right.isidentifier() and isinstance(equation.args[1], Ref) and self.loop.count >= least_steps
            if is_same and columns % part == 0 and inner * part * least_rows <= most:
                return self.in_blocks(left, right, result, equation, inner)
        return [f"np.dot({left}, {right}, {result})"]

    def in_blocks(self, left: str, right: str, result: str, equation: Equation, inner: int) -> list[str]:
        """Return the lines of a product in blocks of rows and columns."""
        rows, columns = equation.shape[-2:]
        part = width // equation.dtype.itemsize
        ordered, pieces = map(self.program.free_name, ("ordered", "pieces"))
        for name, size in ((ordered, inner), (pieces, rows)):
            self.head.append(f"{name} = np.empty(({columns // part}, {size}, {part}), np.{kind_of(equation)})")
        blocks = f"for q in range({columns // part}):"
        copied = f"        for j in range({part}):"
        self.head += [f"for k in range({inner}):", f"    {blocks}", copied,
                      f"            {ordered}[q, k, j] = {right}[k, q * {part} + j]"]  # fmt: skip
        products = in_rows(left, f"{ordered}[q]", f"{pieces}[q]", rows, most // (inner * part))
        return [
            blocks, *(f"    {line}" for line in products),
            f"for k in range({rows}):", f"    {blocks}", copied,
            f"            {result}[k, q * {part} + j] = {pieces}[q, k, j]",
        ]  # fmt: skip


def in_rows(left: str, right: str, result: str, rows: int, fit: int) -> list[str]:
    """Return the lines of a product of as many rows at once as fit: 1, 2, 4, ... of them."""
    some = 2 ** (fit.bit_length() - 1)
    product = f"np.dot({left}[i:i + {some}], {right}, {result}[i:i + {some}])"
    return [f"for i in range(0, {rows}, {some}):", f"    {product}"]


def of_one_row(left: str, right: str, result: str, equation: Equation) -> list[str]:
    """Return a loop that adds up the rows of a matrix, eight at once, in two sums."""
    zero = f"np.{kind_of(equation)}(0)"
    columns = equation.shape[-1]
    return [
        f"row, left, right = {result}[0], {left}[0], {right}",
        *filled((columns,), "row", [], zero),
        "for k in range(0, left.size, 8):",
        f"    for j in range({columns}):",
        f"        total, other = row[j], {zero}",
        "        for i in range(4):",
        "            total += left[k + i] * right[k + i, j]",
        "            other += left[k + 4 + i] * right[k + 4 + i, j]",
        "        row[j] = total + other",
    ]
