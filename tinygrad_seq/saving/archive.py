"""Saving and loading without pickle: nested dictionaries, lists and tuples of arrays and plain values, bit for bit.

A file is a zip archive in which nothing is compressed. `tree.json` is the structure, with a number where an array
stands; `0.npy`, `1.npy`, ... are the arrays in NumPy's own format; the archive's comment is the SHA-256 of all bytes
before it, so that a damaged byte is noticed wherever it is. Nothing in a file is ever executed, and every size that a
file names is compared with the file's own size before memory is asked for. Arrays go to and from the file in blocks.
"""

import hashlib
import json
import os
import zipfile
from typing import Any, BinaryIO

from tinygrad_seq.engine.backend import existing_device, host
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.saving.atomic_file import replacing
from tinygrad_seq.saving.npy import BLOCK, blocks_of, header_of, read_npy
from tinygrad_seq.saving.safetensors import UnknownDtypeError, package, read_safetensors, write_safetensors
from tinygrad_seq.saving.state_tree import decode, encode

VERSION = 1
DIGEST = 32  # bytes


def path_of(op: str, path: Any) -> str:
    """Return a path as text; refuse anything else."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"{op}: expected a path, got {type(path).__name__} {path!r:.60}")
    return os.fsdecode(path)


@known_arguments
def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write nested dicts, lists and tuples of arrays, Tensors and plain values to exactly this path.

    Plain values are None, bool, int, float and str. What is saved is what `load` gives back: Tensors as NumPy arrays,
    NumPy's numbers as they are, dicts, lists and tuples of other classes (OrderedDict, namedtuple) as plain ones, at
    most 100 inside each other. Keys are plain values, NumPy's numbers, or tuples of these. The file is written beside
    the old one and then takes its place: an error changes nothing, its permissions stay, and a symbolic link to it
    stays one.

    A path that ends in `.safetensors` gets that format: dicts of arrays only, nested names joined by dots, no checksum.
    Raises TypeError or ValueError, naming the place in the state, for anything else; OSError as `open` does;
    RuntimeError where the package safetensors is missing.

    >>> import tempfile, os, tinygrad_seq as ts
    >>> path = os.path.join(tempfile.mkdtemp(), "state")
    >>> ts.save({"weight": ts.ones(2), "epoch": 3}, path)
    >>> ts.load(path)
    {'weight': array([1., 1.], dtype=float32), 'epoch': 3}
    """
    path = path_of("save", path)
    write = write_safetensors if path.endswith(".safetensors") else write_archive
    with replacing(path) as file:
        try:
            write(state, file)
        except RecursionError:
            raise ValueError("save: the state contains itself, or is nested too deeply") from None


@known_arguments
def load(path: str | os.PathLike[str], device: str | None = None) -> Any:
    """Return what `save` wrote, arrays as NumPy arrays; of a `.safetensors` file, a dict of arrays by dotted name.

    With a `device` ("cpu", "cuda", "cuda:N") arrays become Tensors there, wherever they were when they were saved.
    `load_state_dict` needs no device: it puts values where the parameters are. Raises OSError as `open` does;
    TypeError if `path` is not a path; ValueError for a file that is damaged or that `save` did not write, for an array
    of a dtype that NumPy lacks (BF16), and for an unknown device; RuntimeError where there is no such GPU, or where the
    package safetensors is missing.

    >>> import tempfile, os, tinygrad_seq as ts
    >>> path = os.path.join(tempfile.mkdtemp(), "state")
    >>> ts.save((1, None), path)
    >>> ts.load(path)
    (1, None)
    """
    path = path_of("load", path)
    if device is not None:
        existing_device(device, "load: ")  # before anything is read
    read: Any = read_archive
    if path.endswith(".safetensors"):
        package("load")  # raises if it is missing, whatever the file is
        read = read_safetensors
    with open(path, "rb") as file:
        try:
            state = read(file)
        except (MemoryError, UnknownDtypeError):
            raise
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(f"load: {path!r} is not a file that ts.save wrote, or is damaged: {error}") from error
    return state if device is None else placed(state, device)


def placed(state: Any, device: str) -> Any:
    """Return a state with Tensors on a device in place of arrays."""
    if isinstance(state, dict):
        return {key: placed(value, device) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)([placed(value, device) for value in state])
    return tensor(state, device=device) if type(state) is host.ndarray and state.dtype.kind in "fiub" else state


def write_archive(state: Any, file: BinaryIO) -> None:
    """Write a state as a zip archive with its checksum."""
    arrays: list[Any] = []
    saved = {"version": VERSION, "tree": encode(state, "state", arrays)}
    with zipfile.ZipFile(file, "w") as archive:
        text = json.dumps(saved, ensure_ascii=False).encode("utf-8", "surrogatepass")
        archive.writestr(zipfile.ZipInfo("tree.json"), text)
        for number, array in enumerate(arrays):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                member.write(header_of(array))
                for block in blocks_of(array):
                    member.write(block)
        archive.comment = bytes(DIGEST)
    file.write(digest(file))


def read_archive(file: BinaryIO) -> Any:
    """Return the state in an archive, or raise the error that says what is wrong with it."""
    if digest(file) != file.read():
        raise ValueError(why(file))
    size = file.tell()
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if [member.filename for member in members] != ["tree.json", *(f"{i}.npy" for i in range(len(members) - 1))]:
            raise ValueError("its members must be tree.json, 0.npy, 1.npy, ...")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its members are larger than the file")
        saved = json.loads(archive.read("tree.json"), parse_constant=float)  # each NaN a new object: two can be keys
        if saved["version"] != VERSION:
            raise ValueError(f"it has version {saved['version']}, this library reads {VERSION}")
        if saved.keys() != {"version", "tree"}:
            raise ValueError(f"it holds {sorted(saved)}, expected a version and a tree")
        arrays = []
        for member in members[1:]:
            with archive.open(member) as content:
                arrays.append(read_npy(content, member.file_size))
    return decode(saved["tree"], arrays)


def why(file: BinaryIO) -> str:
    """Return what is wrong with a file whose checksum is: the beginning says who wrote it."""
    file.seek(0)
    start = file.read(1000)
    if b"/data.pkl" in start or b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in start:  # in a zip archive, or before 2020
        return "it is PyTorch's: torch.load it, then load_state_dict({k: w.numpy() for k, w in ...})"
    return "its checksum is wrong" if b"tree.json" in start else "it does not begin with a tree.json, as theirs do"


def digest(file: BinaryIO) -> bytes:
    """Return the SHA-256 of a file without its last 32 bytes; the file is left where these begin."""
    left = file.seek(0, os.SEEK_END) - DIGEST
    file.seek(0)
    found = hashlib.sha256()
    while block := file.read(max(min(left, BLOCK), 0)):
        found.update(block)
        left -= len(block)
    return found.digest()
