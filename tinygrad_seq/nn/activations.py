"""Activations as modules, for `nn.Sequential`: each is the function of that name."""

from collections.abc import Callable
from typing import ClassVar

from tinygrad_seq.engine.arguments import at_least, one_axis
from tinygrad_seq.engine.functions.reductions import log_softmax, softmax
from tinygrad_seq.engine.ops.elementwise import relu, sigmoid, tanh
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import check_input


class Activation(Module):
    """Base of the activations: apply a function to a Tensor."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self) -> None:
        """Take no arguments, and say so."""

    def forward(self, x: Tensor) -> Tensor:
        check_input(type(self).__name__, "x", x, None)
        return self.function(x)


class AlongAxis(Activation):
    """Base of those that work along an axis."""

    def __init__(self, axis: int = -1) -> None:
        (self.axis,) = at_least(-(2**31), type(self).__name__, axis=axis)

    def forward(self, x: Tensor) -> Tensor:
        name = type(self).__name__
        check_input(name, "x", x, None)
        return self.function(x, one_axis(name, self.axis, x.ndim))

    def describe(self) -> str:
        return f"axis={self.axis}"


class Tanh(Activation):
    """Compute y = tanh(x), elementwise. Raises TypeError for what is no Tensor.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Tanh()(ts.zeros(2)).tolist()
    [0.0, 0.0]
    """

    function = staticmethod(tanh)


class Sigmoid(Activation):
    """Compute y = 1 / (1 + exp(-x)), elementwise. Raises TypeError for what is no Tensor.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Sigmoid()(ts.zeros(2)).tolist()
    [0.5, 0.5]
    """

    function = staticmethod(sigmoid)


class ReLU(Activation):
    """Compute y = max(x, 0), elementwise. Raises TypeError for what is no Tensor.

    >>> import tinygrad_seq as ts
    >>> ts.nn.ReLU()(ts.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    function = staticmethod(relu)


class Softmax(AlongAxis):
    """Compute y = exp(x) / sum(exp(x)) along an axis, the last one if none is given: positive, summing to 1.

    Raises IndexError for an axis that x does not have.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Softmax()(ts.zeros(4)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    function = staticmethod(softmax)


class LogSoftmax(AlongAxis):
    """Compute y = log(softmax(x)) along an axis, accurate where the softmax itself is 0.

    Raises IndexError for an axis that x does not have.

    >>> import tinygrad_seq as ts
    >>> ts.nn.LogSoftmax()(ts.tensor([0.0, -1e4])).tolist()
    [0.0, -10000.0]
    """

    function = staticmethod(log_softmax)
