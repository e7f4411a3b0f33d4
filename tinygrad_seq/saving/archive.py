"""Saving and loading without pickle: nested dictionaries, lists and tuples of arrays and plain values, bit for bit.

A file is a zip archive in which nothing is compressed: `tree.json` is the structure, with a number where an array
stands; `0.npy`, `1.npy`, ... are the arrays in NumPy's own format; the archive's comment is the SHA-256 of all before
it, so that a damaged byte is noticed wherever it is. Nothing in a file is ever executed, and nothing that a file says
of its sizes is believed before it was compared with the file's own. Arrays go to and from the file in blocks.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from tinygrad_seq.engine.backend import host, modules, to_host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.saving.safetensors import arrays_by_name, package, read_safetensors, write_safetensors

VERSION = 1
DIGEST = 32  # bytes
BLOCK = 1 << 18  # bytes
DEEP = 100  # dicts, lists and tuples in each other: JSON is read recursively, and a dict is three levels of it
WIDE = 1 << 13  # bits of an int: Python reads no more than 4300 digits


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write nested dicts, lists and tuples of arrays, Tensors and plain values to exactly this path.

    What is saved is what `load` gives back: Tensors as NumPy arrays, NumPy's numbers as they are, dicts, lists and
    tuples of other classes (OrderedDict, namedtuple) as plain ones, at most 100 in each other. Keys are plain values,
    NumPy's numbers, or tuples of these. The file is written beside the old one and then takes its place: an error
    changes nothing, its permissions stay, and a symbolic link to it stays one.
    A path that ends in `.safetensors` gets that format: dicts of arrays only, nested names joined by dots, no checksum.
    Raises TypeError or ValueError, naming the place in the state, for anything else; OSError as `open` does.

    >>> import tempfile, os, tinygrad_seq as ts
    >>> path = os.path.join(tempfile.mkdtemp(), "state")
    >>> ts.save({"weight": ts.ones(2), "epoch": 3}, path)
    >>> ts.load(path)
    {'weight': array([1., 1.], dtype=float32), 'epoch': 3}
    """
    path = os.fsdecode(path)
    named = path.endswith(".safetensors")
    arrays: list[Any] = []
    try:
        content = arrays_by_name(state) if named else encode(state, "state", arrays)
    except RecursionError:
        raise ValueError("save: the state contains itself, or is nested too deeply") from None
    with replacing(path) as file:
        if named:
            write_safetensors(content, file.name)
        else:
            write_archive(content, arrays, file)


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote, with arrays as NumPy arrays; of a `.safetensors` file, a dict of arrays by dotted name.

    Raises FileNotFoundError, or ValueError for a file that is damaged or is not one of ours.

    >>> import tempfile, os, tinygrad_seq as ts
    >>> path = os.path.join(tempfile.mkdtemp(), "state")
    >>> ts.save((1, None), path)
    >>> ts.load(path)
    (1, None)
    """
    path = os.fsdecode(path)
    named = path.endswith(".safetensors")
    if named:
        package()  # which may be missing, whatever the file is
    with open(path, "rb") as file:
        try:
            return read_safetensors(path) if named else read_archive(file)
        except MemoryError:
            raise
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(f"load: {path!r} is not a file that ts.save wrote, or is damaged: {error}") from error


# -------------------------------------------------------------------------------------------------- the file as a whole


def write(path: str, content: bytes) -> None:
    """Write a file with this content, or leave what was there before."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of the one at a path, and its owner and permissions, if all goes well.

    Where the path is a symbolic link, the file that it leads to is replaced. Raises OSError, as `open` does, where
    that may not be written to, and for what is no file: a folder, a device, a pipe.
    """
    path = os.path.realpath(path)
    old = None
    with contextlib.suppress(FileNotFoundError), open(path, "r+b") as file:
        old = os.fstat(file.fileno())
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise OSError(f"save: {path!r} is there, and is not a file")
    mode = 0o666 if old is None else 0o600  # less what the umask says; nobody else reads what is not finished
    beside = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")  # a name of any length has room
    try:
        with open(beside, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            kept = old or os.fstat(file.fileno())
            yield file
        with contextlib.suppress(AttributeError, PermissionError):  # on Windows; where we are not the owner
            os.chown(beside, kept.st_uid, kept.st_gid)
        os.chmod(beside, stat.S_IMODE(kept.st_mode))
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def digest(file: BinaryIO) -> bytes:
    """The SHA-256 of a file but for its last 32 bytes, where it is left."""
    left = file.seek(0, os.SEEK_END) - DIGEST
    file.seek(0)
    found = hashlib.sha256()
    while block := file.read(max(min(left, BLOCK), 0)):
        found.update(block)
        left -= len(block)
    return found.digest()


# ---------------------------------------------------------------------------------------------------------- the archive


def write_archive(tree: Any, arrays: list[Any], file: BinaryIO) -> None:
    """Write what `encode` made."""
    text = json.dumps({"version": VERSION, "tree": tree}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("tree.json"), text)
        for number, array in enumerate(arrays):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                member.write(header_of(array))
                for block in blocks_of(array):
                    member.write(block)
        archive.comment = bytes(DIGEST)
    file.write(digest(file))


def read_archive(file: BinaryIO) -> Any:
    """The state in an archive."""
    if digest(file) != file.read():
        raise ValueError("its checksum is wrong")
    size = file.tell()
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if [member.filename for member in members] != ["tree.json", *(f"{i}.npy" for i in range(len(members) - 1))]:
            raise ValueError("its members must be tree.json, 0.npy, 1.npy, ...")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its members are larger than the file")
        saved = json.loads(archive.read("tree.json"), parse_constant=float)  # every NaN one of its own: keys may be
        if saved["version"] != VERSION:
            raise ValueError(f"it has version {saved['version']}, this library reads {VERSION}")
        if saved.keys() != {"version", "tree"}:
            raise ValueError(f"it holds {sorted(saved)}, expected a version and a tree")
        arrays = [read_array(archive, member) for member in members[1:]]
    return decode(saved["tree"], arrays)


def header_of(array: Any) -> bytes:
    """The start of an .npy file."""
    form, buffer = host.lib.format, io.BytesIO()
    form.write_array_header_1_0(buffer, form.header_data_from_array_1_0(array))
    return buffer.getvalue()


def announced(file: Any) -> tuple[tuple[int, ...], Any]:
    """The shape and dtype that the start of an .npy file speaks of, read up to its end."""
    form = host.lib.format
    read = form.read_array_header_1_0 if form.read_magic(file) == (1, 0) else form.read_array_header_2_0
    try:
        shape, _, dtype = read(file)
    except MemoryError:  # what Python's parser says of nonsense, which is no lack of memory
        raise ValueError("the header of an array cannot be read") from None
    return shape, dtype


def blocks_of(array: Any) -> Iterator[bytes]:
    """The numbers of an array, in the order that its header says, some at a time."""
    order: Any = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    count = max(BLOCK // max(array.itemsize, 1), 1)
    block: Any
    for block in host.nditer(array, ["external_loop", "buffered", "zerosize_ok"], order=order, buffersize=count):
        yield block.tobytes()


def read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    """The array in a member, whose size must be what its header says."""
    with archive.open(member) as file:
        shape, dtype = announced(file)
        if file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise ValueError(f"{member.filename} is not as long as an array of {dtype} {shape}")
        file.seek(0)
        return host.lib.format.read_array(file, allow_pickle=False)


# -------------------------------------------------------------------------------------------------------- the structure


def encode(value: Any, place: str, arrays: list[Any], depth: int = DEEP) -> Any:
    """A value as JSON; arrays go to the list and leave their number."""
    if depth < 0:
        raise RecursionError
    if isinstance(value, Value):
        value = value.array
    scalar = isinstance(value, host.generic) and value.dtype.kind in "biufcmM"
    if scalar or (type(value) in modules and not value.dtype.hasobject):
        array = to_host(value)
        try:
            comes_back = announced(io.BytesIO(header_of(array))) == (array.shape, array.dtype)
        except ValueError:
            comes_back = False
        if not comes_back:
            raise TypeError(f"save: {place} is an array of {array.dtype}, which an .npy file cannot hold")
        arrays.append(array)
        return {"scalar" if scalar else "array": len(arrays) - 1}
    if isinstance(value, dict):
        pairs = [
            [encode(k, f"a key of {place}", arrays, depth - 1), encode(v, f"{place}[{k!r}]", arrays, depth - 1)]
            for k, v in value.items()
        ]
        try:
            comes_back = len({decode(key, arrays) for key, _ in pairs}) == len(pairs)
        except TypeError:
            comes_back = False
        if not comes_back:
            kinds = "keys are plain values, NumPy's numbers, or tuples of these"
            raise TypeError(f"save: a key of {place} would not come back: {kinds}")
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [encode(item, f"{place}[{i}]", arrays, depth - 1) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or type(value) in (bool, float, str) or (type(value) is int and value.bit_length() <= WIDE):
        return value
    kind = f"an int of more than {WIDE} bits" if type(value) is int else f"a {type(value).__name__}"
    raise TypeError(f"save: {place} is {kind}, which is neither an array nor a plain value")


def decode(tree: Any, arrays: list[Any]) -> Any:
    """The value that `encode` made this of; ValueError for what it does not make."""
    if isinstance(tree, list):
        return [decode(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind in ("array", "scalar"):
        array = arrays[range(len(arrays)).index(content)]
        return array if kind == "array" else array[()]
    if kind not in ("tuple", "dict") or not isinstance(content, list):
        raise ValueError(f"it holds something called {kind!r}")
    items = decode(content, arrays)
    if kind == "tuple":
        return tuple(items)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in items) or len(found := dict(items)) < len(items):
        raise ValueError("it holds a dict of other things than pairs, or with a key twice")
    return found
