"""Graphviz's program `dot`, which lays out most graphs well and some never: called with an argument list, never
through a shell, in a process group of its own that is killed when its time is up.

It reads and writes files, not pipes: nothing that it leaves behind can keep us waiting.
"""

import os
import signal
import subprocess
from contextlib import suppress
from shutil import which
from tempfile import TemporaryFile

install = "`apt install graphviz`, on macOS `brew install graphviz`"


class NoPictureError(RuntimeError):
    """No picture came from Graphviz; says why."""


def rendered(text: str, kind: str, timeout: float) -> bytes:
    """DOT text as "svg", "png" or "pdf"."""
    program = which("dot")
    if program is None:
        raise NoPictureError(f"Graphviz's program `dot` was not found (install it: {install})")
    with TemporaryFile() as source, TemporaryFile() as picture, TemporaryFile() as complaints:
        source.write(text.encode())
        source.seek(0)
        try:
            process = subprocess.Popen(
                [program, f"-T{kind}"], stdin=source, stdout=picture, stderr=complaints, start_new_session=True
            )
        except OSError as error:
            raise NoPictureError(f"Graphviz's program {program!r} could not be started: {error} ({install})") from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NoPictureError(
                f"Graphviz did not finish within {timeout:g} seconds (a newer one might: {install})"
            ) from None
        finally:
            stop(process)
        picture.seek(0)
        complaints.seek(0)
        content, reason = picture.read(), complaints.read().decode(errors="replace").strip()[-300:]
    if status or not content:
        raise NoPictureError(f"Graphviz failed (exit status {status}; install it again: {install}): {reason}")
    return content


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # all gone already
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
