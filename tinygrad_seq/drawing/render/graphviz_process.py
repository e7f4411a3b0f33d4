"""Run Graphviz's program `dot`: with an argument list, never through a shell, and in a process group of its own, which
is killed when its time is up. It reads and writes files, not pipes, so that nothing it leaves behind can block us.
"""

import os
import signal
import subprocess
from contextlib import suppress
from shutil import which
from tempfile import TemporaryFile

install = "`apt install graphviz`, on macOS `brew install graphviz`"
largest = 32_767  # pixels: a larger bitmap is silently scaled down


def rendered(text: str, kind: str, timeout: float) -> bytes:
    """Return what Graphviz makes of DOT text: "png" or "pdf". Raise RuntimeError where it makes nothing of it."""
    program = which("dot")
    if program is None:
        raise failed(kind, f"its program `dot` was not found (install it: {install})")
    with TemporaryFile() as source, TemporaryFile() as picture, TemporaryFile() as complaints:
        source.write(text.encode())
        source.seek(0)
        try:
            process = subprocess.Popen(
                [program, f"-T{kind}"], stdin=source, stdout=picture, stderr=complaints, start_new_session=True
            )
        except OSError as error:
            raise failed(kind, f"its program {program!r} could not be started: {error} ({install})") from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise failed(kind, f"it did not finish within {timeout:g} seconds (a newer one might: {install})") from None
        finally:
            stop(process)
        picture.seek(0)
        complaints.seek(0)
        content, reason = picture.read(), complaints.read().decode(errors="replace").strip()[-300:]
    if status or not content:
        raise failed(kind, f"it failed (exit status {status}; install it again: {install}): {reason}")
    return content


def failed(kind: str, reason: str) -> RuntimeError:
    """Return the error that says why there is no picture, and what else to do."""
    return RuntimeError(
        f"save: a .{kind} file needs Graphviz: {reason}. Or show fewer steps (steps=(2, 1)), give a longer timeout=, "
        "or save an .svg file, and convert that with rsvg-convert or cairosvg"
    )


def check_size(width: float, height: float) -> None:
    """Refuse a bitmap that Graphviz cannot draw, given its size in points."""
    across, down = round(width * 96 / 72), round(height * 96 / 72)
    if max(across, down) > largest:
        raise RuntimeError(
            f"save: the .png would be {across:,} x {down:,} pixels, and Graphviz draws up to {largest:,}: show fewer "
            "steps (steps=(2, 1)), or save an .svg or .html file, which may be of any size"
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # all gone already
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
