"""The strict double, with what `run.py` asks of a real device besides: a card, clocks, streams and graphs.

    python tests/gpu/as_if_real.py tests/gpu        run.py, its report in a file of its own; the double passes as real

So a mistake in the script, or in what tests do on a real device alone, is found before there is one.
"""

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import strict_cupy

CARD = {"name": b"a double", "totalGlobalMem": 2**30}


class Event:
    """A moment, on the host's clock."""

    __slots__ = ("_at",)

    def record(self, stream=None):
        self._at = time.perf_counter()

    def synchronize(self):
        pass


class Stream:
    """Work is done as soon as it is asked for; a graph does nothing."""

    null: "Stream"

    def __init__(self, **settings):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def synchronize(self):
        pass

    def wait_event(self, event):
        pass

    def record(self, event=None):
        return event or Event()

    def begin_capture(self, mode=None):
        pass

    def end_capture(self):
        return SimpleNamespace(launch=lambda stream=None: None)


Stream.null = Stream()
EXTRAS = {
    strict_cupy.cuda: {"Event": Event, "Stream": Stream, "get_elapsed_time": lambda a, b: 1e3 * (b._at - a._at)},
    strict_cupy.runtime: {"getDeviceProperties": lambda number: CARD, "driverGetVersion": lambda: 0,
                          "runtimeGetVersion": lambda: 0},
}  # fmt: skip


def equip(put=setattr):
    """Give the double what it lacks."""
    for module, extras in EXTRAS.items():
        for name, extra in extras.items():
            put(module, name, extra)


if __name__ == "__main__":
    import run

    strict_cupy.install()
    equip()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run.main(sys.argv[1:], Path(folder) / "report.md"))
