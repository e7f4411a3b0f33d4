"""Saving and loading without pickle: nested dictionaries, lists and tuples of arrays and plain values, bit for bit.

A file is a zip archive: `tree.json` is the structure, with a number where an array stands; `0.npy`, `1.npy`, ... are
the arrays in NumPy's own format; the archive's comment is the SHA-256 of all before it, so that a damaged byte is
noticed wherever it is. Nothing in a file is ever executed. Saving writes beside the target and renames, so a failed
save leaves the old file as it was.
"""

import contextlib
import hashlib
import io
import json
import os
import secrets
import zipfile
from typing import Any

from tinygrad_seq.backend import host, modules, to_host
from tinygrad_seq.exchange import from_safetensors, package, to_safetensors
from tinygrad_seq.graph import Value

VERSION = 1
DIGEST = 32  # bytes


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write nested dicts, lists and tuples of arrays, Tensors and plain values to exactly this path.

    A path that ends in `.safetensors` gets that format: dicts of arrays only, nested names joined by dots, no checksum.
    Raises TypeError, naming the place in the state, for anything else.

    >>> import tempfile, os, tinygrad_seq as ts
    >>> path = os.path.join(tempfile.mkdtemp(), "state")
    >>> ts.save({"weight": ts.ones(2), "epoch": 3}, path)
    >>> ts.load(path)
    {'weight': array([1., 1.], dtype=float32), 'epoch': 3}
    """
    path = os.fsdecode(path)
    try:
        content = to_safetensors(state) if path.endswith(".safetensors") else to_archive(state)
    except RecursionError:
        raise ValueError("save: the state contains itself, or is nested too deeply") from None
    write(path, content)


def write(path: str, content: bytes) -> None:
    """A file with this content, or what was there before."""
    beside = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(beside, "xb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def to_archive(state: Any) -> bytes:
    arrays: list[Any] = []
    tree = encode(state, "state", arrays)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tree.json", json.dumps({"version": VERSION, "tree": tree}))
        for number, array in enumerate(arrays):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                host.lib.format.write_array(member, array, allow_pickle=False)
        archive.comment = bytes(DIGEST)
    return sealed(buffer.getvalue()[:-DIGEST])


def sealed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def encode(value: Any, place: str, arrays: list[Any]) -> Any:
    """A value as JSON; arrays go to the list and leave their number."""
    if isinstance(value, Value):
        value = value.array
    if type(value) in modules and not value.dtype.hasobject:
        arrays.append(to_host(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, dict):
        pairs = [
            [encode(k, f"a key of {place}", arrays), encode(v, f"{place}[{k!r}]", arrays)] for k, v in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [encode(item, f"{place}[{i}]", arrays) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"save: {place} is a {type(value).__name__}, which is neither an array nor a plain value")


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
    if path.endswith(".safetensors"):
        package()  # which may be missing, whatever the file is
    with open(path, "rb") as file:
        content = file.read()
    try:
        return from_safetensors(content) if path.endswith(".safetensors") else from_archive(content)
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(f"load: {path!r} is not a file that ts.save wrote, or is damaged: {error}") from error


def from_archive(content: bytes) -> Any:
    if sealed(content[:-DIGEST]) != content:
        raise ValueError("its checksum is wrong")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        saved = json.loads(archive.read("tree.json"))
        if saved["version"] != VERSION:
            raise ValueError(f"it has version {saved['version']}, this library reads {VERSION}")
        count = len(archive.namelist()) - 1
        read = [io.BytesIO(archive.read(f"{number}.npy")) for number in range(count)]
    arrays = [host.lib.format.read_array(buffer, allow_pickle=False) for buffer in read]
    return decode(saved["tree"], arrays)


def decode(tree: Any, arrays: list[Any]) -> Any:
    if isinstance(tree, list):
        return [decode(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "array":
        return arrays[range(len(arrays)).index(content)]
    if kind == "tuple":
        return tuple(decode(item, arrays) for item in content)
    if kind != "dict":
        raise ValueError(f"it holds something called {kind!r}")
    return {decode(key, arrays): decode(value, arrays) for key, value in content}
