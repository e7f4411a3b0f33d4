"""What NumPy does with a Tensor: its operators are ours, its functions get an array, no gradient is lost in silence.

`array * tensor` is a Tensor. `np.tanh(tensor)`, `array[0] = tensor` and `np.array([tensor])` want an array, and the
graph ends there: a Tensor whose gradient is recorded is refused, with the name of the function that keeps it.
"""

from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.coercion import PARTS, without_history
from tinygrad_seq.engine.functions.arithmetic import matmul
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import ATTRIBUTES, counting, sorting
from tinygrad_seq.engine.ops import comparison, elementwise
from tinygrad_seq.engine.recording import make_tensor

OPERATORS = {"matmul": matmul} | {
    name: getattr(home, name)
    for home, names in (
        (elementwise, ("add", "subtract", "multiply", "divide", "power", "floor_divide", "remainder")),
        (comparison, ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")),
        (comparison, ("bitwise_and", "bitwise_or")),
    )
    for name in names
}
SAME = """abs add argmax broadcast_to clip concatenate cos divide einsum exp expand_dims flip log
matmul max maximum mean min minimum multiply negative norm pad power reshape sin split sqrt stack squeeze subtract sum
swapaxes take tanh transpose var where"""
SPELLED = {name: name for name in SAME.split()} | {
    **dict.fromkeys(("dot", "inner", "vdot", "outer", "tensordot"), "matmul"),
    **dict.fromkeys(("vstack", "hstack", "column_stack", "append"), "concatenate"),
    "absolute": "abs",
    "array_split": "split",
    "ravel": "reshape",
}  # NumPy's name -> ours
LIKE = host.zeros_like, host.ones_like, host.empty_like, host.full_like


def array(x: Any, dtype: Any = None, copy: bool | None = None) -> Any:
    """Return the host array of a Tensor, read-only unless it is a copy (`__array__`)."""
    if x.device != "cpu":
        raise TypeError(f"this Tensor is on {x.device}: bring it over with .numpy() or .to('cpu')")
    without_history("NumPy array", x, f"x.numpy() to look at it, {PARTS} to go on")
    found = x.numpy()
    return host.array(found, dtype=dtype) if copy or (dtype is not None and dtype != found.dtype) else found


def function(_: Value, called: Any, __: Any, args: Any, options: Any) -> Any:
    """Call `np.where(mask, tensor, 0.0)` and the like with arrays (`__array_function__`)."""
    if called in LIKE and args and isinstance(args[0], Value):
        args = (make_tensor(args[0].array), *args[1:])  # its values are not asked for
    if called not in (host.shape, host.ndim, host.size):  # nor here
        args, options = bare(called, args), bare(called, options)
    return host.empty(0).__array_function__(called, (), args, options)


def ufunc(_: Value, called: Any, method: str, *args: Any, **options: Any) -> Any:
    """Call our op for `array * tensor`, and `np.tanh(tensor)` with an array (`__array_ufunc__`)."""
    if called.__name__ in OPERATORS and method == "__call__" and not options and not isinstance(args[0], Value):
        return OPERATORS[called.__name__](*args)
    return getattr(called, method)(*bare(called, args), **bare(called, options))


def bare(called: Any, given: Any) -> Any:
    """Put arrays in place of Tensors among the arguments of NumPy's function."""
    if isinstance(given, Value):
        name = called.__name__
        place = f"{getattr(called, '__module__', 'numpy')}.{name}".replace("numpy", "np", 1)
        hint = f"ts.{SPELLED[name]}" if name in SPELLED else ATTRIBUTES.get(name, PARTS)
        without_history(place, given, "x.numpy()" if hint in (sorting, counting) else hint)
        return array(given)
    if isinstance(given, dict):
        return {key: bare(called, item) for key, item in given.items()}
    return type(given)([bare(called, item) for item in given]) if type(given) in (list, tuple) else given
