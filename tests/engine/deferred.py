"""An operand that takes over from the array beside it."""


class Deferred:
    __array_ufunc__ = None

    def __radd__(self, other):
        return "mine"

    __rmatmul__ = __eq__ = __gt__ = __radd__
    __hash__ = None
