"""Arguments are read at every call: what is changed, or read only once, is refused."""

import pytest

import tinygrad_seq as ts
from tinygrad_seq.replay.trace.tape import TraceError

x = ts.tensor([1.0, 2.0, 3.0])


def replace(items, x):
    items[0] = x


def grow(items, x):
    items.append(x)


def write(items, x):
    items[0].array[0] = 5.0


def assign(items, x):
    items[0].array = x.array


def name(items, x):
    items.update(x=x)


@pytest.mark.parametrize("function, given", [(replace, []), (grow, []), (write, []), (assign, []), (name, {})])
def test_an_argument_that_is_changed_is_refused(function, given):
    items = type(given)([x * 1.0]) if given == [] else {}
    with pytest.raises(TraceError, match="an argument is changed inside"):
        ts.replay(function)(items, x)
    assert items == given or items[0].tolist() == x.tolist()


def test_an_iterator_is_refused():
    with pytest.raises(TraceError, match="list_iterator, which is read only once"):
        ts.replay(sum)(iter([x, x]))
