"""The devices of the double: which one a thread works on, what each holds, and what is counted."""

import threading
from collections import Counter

DEVICES = 2

counts = Counter()
held = Counter()  # by device: the bytes of all arrays that are alive
CUDARuntimeError = type("CUDARuntimeError", (RuntimeError,), {})


class Here(threading.local):
    """The device that this thread works on, and those that it comes back to."""

    def __init__(self):
        self.device, self.left = 0, []


here = Here()


class Device:
    """One of the devices, by number; without one, that which this thread works on."""

    def __init__(self, device=None):
        self.id = here.device if device is None else int(device)

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    __hash__ = None
    mem_info = property(lambda self: (2**30 - held[self.id], 2**30))  # free bytes, and all

    def __enter__(self):
        before = here.device
        self.use()
        here.left.append(before)
        return self

    def __exit__(self, *_):
        here.device = here.left.pop()

    def use(self):
        if not 0 <= self.id < DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        here.device = self.id
        return self

    def synchronize(self):
        counts["synchronizations"] += 1


class MemoryPool:
    """The memory of the current device: what its arrays hold, and nothing that is kept for later."""

    def used_bytes(self):
        return held[here.device]

    total_bytes = used_bytes

    def free_all_blocks(self):
        pass
