"""Files written as a whole or not at all: the new one is written beside the old one and then takes its place."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO


def write_file(path: str, content: bytes) -> None:
    """Write a file with this content; an error leaves what was there before."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Yield a new file, which replaces the one at a path if the block ends without an error.

    The new file gets the old one's owner and permissions. Where the path is a symbolic link, the file that it leads to
    is replaced. Raises OSError, as `open` does, if that may not be written to or is a folder, a device or a pipe.
    """
    if not os.path.basename(path):  # realpath would make a file of "folder/"
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    path = os.path.realpath(path)
    old = None
    with contextlib.suppress(FileNotFoundError), open(path, "r+b") as file:
        old = os.fstat(file.fileno())
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise OSError(f"save: {path!r} is there, and is not a file")
    mode = 0o666 if old is None else 0o600  # minus the umask; nobody else reads a file that is not finished
    beside = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")  # a short name always fits
    try:
        with open(beside, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            kept = old or os.fstat(file.fileno())
            yield file
        with contextlib.suppress(AttributeError, PermissionError):  # on Windows; where we are not the owner
            os.chown(beside, kept.st_uid, kept.st_gid)
        os.chmod(beside, stat.S_IMODE(kept.st_mode))
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.filename == beside:
            error.filename = path  # which the caller knows
        raise
