"""Arrays in NumPy's own file format, .npy: written in blocks, and read only where the header tells the truth."""

import io
import math
from collections.abc import Iterator
from typing import IO, Any

from tinygrad_seq.engine.backend import host

BLOCK = 1 << 18  # bytes


def header_of(array: Any) -> bytes:
    """Return the header of an .npy file for an array."""
    form, buffer = host.lib.format, io.BytesIO()
    form.write_array_header_1_0(buffer, form.header_data_from_array_1_0(array))
    return buffer.getvalue()


def read_header(file: Any) -> tuple[tuple[int, ...], Any]:
    """Return the shape and dtype in the header of an .npy file; the file is read up to where the numbers begin."""
    form = host.lib.format
    read = form.read_array_header_1_0 if form.read_magic(file) == (1, 0) else form.read_array_header_2_0
    try:
        shape, _, dtype = read(file)
    except MemoryError:  # raised by Python's parser for deeply nested nonsense; there is no lack of memory
        raise ValueError("the header of an array cannot be read") from None
    return shape, dtype


def fits_npy(array: Any) -> bool:
    """Return whether an .npy file can hold an array: no Python objects, and a header that says this shape and dtype."""
    try:
        return not array.dtype.hasobject and read_header(io.BytesIO(header_of(array))) == (array.shape, array.dtype)
    except ValueError:
        return False


def blocks_of(array: Any) -> Iterator[bytes]:
    """Yield the numbers of an array, block by block, in the order that its header says."""
    order: Any = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    count = max(BLOCK // max(array.itemsize, 1), 1)
    block: Any
    for block in host.nditer(array, ["external_loop", "buffered", "zerosize_ok"], order=order, buffersize=count):
        yield block.tobytes()


def read_npy(file: IO[bytes], size: int) -> Any:
    """Return the array in an .npy file of this many bytes; refuse a header that says more or fewer."""
    shape, dtype = read_header(file)
    if file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{file.name} is not as long as an array of {dtype} {shape}")
    file.seek(0)
    return host.lib.format.read_array(file, allow_pickle=False)
