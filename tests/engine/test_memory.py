"""Memory: an array means its numbers, however it lies in memory, and nobody writes to what belongs to another.

Every op takes arguments and incoming gradients that are views: columns first, reversed, every other number, one number
repeated with stride 0. And all of them may be read-only.
"""

from laws import over
from op_table import ROWS

from tinygrad_seq.testing import any_layout_will_do, nothing_is_written


@over([row for row in ROWS if row.name != "ties"])  # whose second argument has to be the extreme of the first
def test_any_layout_will_do(row, data):
    any_layout_will_do(row.function, data.draw(row.cases))


@over(ROWS, share=2)
def test_nothing_is_written(row, data):
    nothing_is_written(row.function, data.draw(row.cases))
