"""tinygrad_seq: reverse-mode autograd whose recorded graph you can read, draw and differentiate again."""

from tinygrad_seq.backprop import grad
from tinygrad_seq.ops.composite import (
    argmax, broadcast_to, clip, concatenate, expand_dims, flip, log_softmax, logsumexp, matmul, max, mean, min, one_hot,
    pad, reshape, softmax, split, squeeze, stack, sum, swapaxes, take, transpose, unstack, var,
)
from tinygrad_seq.ops.elementwise import (
    abs, add, cos, divide, exp, log, maximum, minimum, multiply, negative, power, relu, sigmoid, sin, sqrt, subtract,
    tanh, where,
)
from tinygrad_seq.primitive import primitive
from tinygrad_seq.scope import no_grad, scope
from tinygrad_seq.tensor import Tensor, tensor
