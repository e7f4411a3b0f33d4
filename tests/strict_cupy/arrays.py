"""The arrays of the double: where they live, what an index of them means, and what launches a kernel."""

import operator
import types

import numpy as np

from strict_cupy.api import API, BOOLS
from strict_cupy.device import Device, counts, held, here

ON_HOST = "__bool__ __complex__ __float__ __format__ __int__ __repr__ __str__ dump dumps item tobytes tofile tolist"
dice = np.random.default_rng(20)


def fresh(host, base=None):
    """The device array over this host memory."""
    if host.dtype.char not in API["scalars"]:
        raise ValueError(f"Unsupported dtype {host.dtype}")
    array = object.__new__(ndarray)
    array._host, array.base = host, base
    array._device = here.device if base is None else base._device
    if base is None:
        counts["bytes"] += host.nbytes
        held[array._device] += host.nbytes
    return array


def launched(*arrays):
    """Count a kernel; refuse arrays that are not on the current device."""
    counts["kernels"] += 1
    for array in arrays:
        if type(array) is ndarray and array._device != here.device:
            raise ValueError(f"The device where the array resides ({array._device}) is different from the current "
                             f"device ({here.device}). Peer access is unavailable between these devices.")


def upload(values, dtype=None, order="K"):
    counts["uploads"] += 1
    return fresh(np.array(values, dtype, order=order))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if type(obj) is ndarray:
        if obj._device != here.device:
            obj, copy = obj.copy(order or "K"), None
        return obj.astype(obj.dtype if dtype is None else dtype, order or "K", copy=copy)
    return upload(obj, dtype, order or "K")


def garbage(host):
    """Memory as `empty` leaves it: never zeros by luck."""
    host[...] = np.nan if host.dtype.kind in "fc" else dice.integers(0, 100, host.shape)
    return host


def wrapped(result, sources=()):
    """What NumPy computed, as CuPy hands it out: arrays of every size, views that know their base, no scalars."""
    if isinstance(result, (tuple, list)):
        return type(result)([wrapped(part, sources) for part in result])
    if not isinstance(result, (np.ndarray, np.generic, bool, int, float, complex)):
        return result
    host = np.asarray(result)
    for source in sources:
        if host is source._host:
            return source
        if host.base is not None and (host.size == 0 or np.may_share_memory(host, source._host)):
            return fresh(host, source if source.base is None else source.base)
    launched(*sources)
    return fresh(host)


def stored(result, out, casting="same_kind"):
    if type(out) is not ndarray:
        raise TypeError("return arrays must be of ArrayType")
    if out.shape != result.shape:
        raise ValueError("Out shape is mismatched")
    launched(out)
    np.copyto(out._host, result, casting=casting)
    return out


def host_index(array, index):
    """The index for NumPy, and whether it gathers (arrays) instead of making a view; integer arrays wrap around."""
    items, widths, gathers = list(index) if isinstance(index, tuple) else [index], [], False
    for at, item in enumerate(items):
        widths.append(0 if item is None or item is Ellipsis else 1)
        if widths[at] == 0 or isinstance(item, slice) or (np.isscalar(item) and not isinstance(item, BOOLS)):
            continue
        if type(item) is not ndarray:
            item = upload(item, np.int32 if isinstance(item, (list, tuple)) and len(item) == 0 else None)
        if item.dtype.kind not in "biu":
            raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {item.dtype})")
        items[at], gathers = item._host, True
        if item.dtype.kind == "b":
            counts["synchronizations"] += 1  # how many are true decides the shape
            widths[at] = item.ndim
    if not gathers:
        return tuple(items) if any(item is Ellipsis for item in items) else (*items, Ellipsis), False
    axis, left = 0, array.ndim - sum(widths)
    for at, item in enumerate(items):
        if isinstance(item, np.ndarray) and item.dtype.kind != "b" and left >= 0:
            items[at] = item.astype(np.int64) % max(array.shape[axis], 1)
        axis += left if item is Ellipsis else widths[at]
    return tuple(items), True


def scatter(array, items, values, store):
    """Store values at the places an index names, in an order nobody may rely on."""
    values = values if type(values) is ndarray else upload(values)
    launched(array, values)
    values = values._host
    places, flat = np.arange(array.size).reshape(array.shape)[items], array._host.ravel()
    order = dice.permutation(places.size)
    with np.errstate(all="ignore"):
        chosen = np.broadcast_to(values, places.shape).astype(array.dtype).ravel()[order]
        store(flat, places.ravel()[order], chosen)
    array._host[...] = flat.reshape(array.shape)


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801
    """cupy.ndarray, its memory on the host. Operators are NumPy ufuncs, which `__array_ufunc__` makes CuPy's again."""

    __slots__ = ("__weakref__", "_device", "_host", "base")
    __array_priority__ = 100
    __hash__ = None
    device = property(lambda self: Device(self._device))
    flags = property(lambda self: types.SimpleNamespace(
        owndata=self.base is None,
        **{order: getattr(self._host.flags, order) for order in ("c_contiguous", "f_contiguous")}))

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        self._host, self._device, self.base = garbage(np.empty(shape, dtype, order)), here.device, None
        held[self._device] += self._host.nbytes

    def __del__(self):
        if getattr(self, "base", self) is None:
            held[self._device] -= self._host.nbytes

    def __reduce__(self):
        return array, (self.get(),)  # read back, it is on whichever device is the current one

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        with self.device:
            return self.copy()

    def copy(self, order="C"):
        """A copy on the current device."""
        if self._device == here.device:
            launched()
            return fresh(np.array(self._host, order=order))
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
        counts["moves"] += 1
        return fresh(np.array(self._host, order="K"))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` instead.")

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index):
        items, gathers = host_index(self, index)
        if not gathers:
            return wrapped(self._host[items], (self,))
        launched(self, *(index if isinstance(index, tuple) else (index,)))
        return fresh(np.array(self._host[items], order="C"))

    def __setitem__(self, index, value):
        items, gathers = host_index(self, index)
        if gathers:
            scatter(self, items, value, operator.setitem)
        else:
            wrapped(self._host[items], (self,)).fill(value)

    def fill(self, value):
        if type(value) is not ndarray and np.ndim(value) > 0:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        launched(self, value)
        with np.errstate(all="ignore"):
            np.copyto(self._host, value._host if type(value) is ndarray else np.asarray(value), casting="unsafe")

    def get(self, stream=None, order="C", out=None, blocking=True):
        counts.update(downloads=1, synchronizations=1)
        return np.array(self._host, order=order)


# What follows a pattern: properties, and what waits for the host.
for name in ("dtype", "itemsize", "nbytes", "ndim", "shape", "size", "strides"):
    setattr(ndarray, name, property(operator.attrgetter(f"_host.{name}")))
for name in ("T", "mT", "real", "imag"):
    setattr(ndarray, name, property(lambda self, name=name: wrapped(getattr(self._host, name), (self,))))
for name in ON_HOST.split():
    setattr(ndarray, name, lambda self, *args, name=name: getattr(self.get(), name)(*args))
