"""Competitors take turns in rounds, so that a machine that slows down slows all of them."""

import gc
import statistics
import time
from collections.abc import Callable

Step = Callable[[], object]


def rounds(competitors: dict[str, Step], seconds: float = 3.0, least: int = 7) -> dict[str, list[float]]:
    """Seconds per call of each competitor, in rounds of equal turns."""
    calls = {}
    for name, step in competitors.items():
        trial = []
        for _ in range(4):  # one of them may meet the garbage collector
            start = time.process_time()
            step()
            trial.append(time.process_time() - start)
        calls[name] = max(1, int(0.05 / max(min(trial), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in competitors}
    end = time.monotonic() + seconds * len(competitors)
    while time.monotonic() < end or len(times[name]) < least:
        for name, step in competitors.items():
            gc.collect()
            start = time.process_time()
            for _ in range(calls[name]):
                step()
            times[name].append((time.process_time() - start) / calls[name])
    return times


def report(what: str, times: dict[str, list[float]], base: str) -> None:
    cells = [f"{what:24} {base} {min(times[base]) * 1e6:10.1f} us"]
    for name, found in times.items():
        if name != base:
            ratios = [mine / its for mine, its in zip(found, times[base], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            cells.append(f"{name} {middle:.2f} [{low:.2f} {high:.2f}] min {min(found) / min(times[base]):.2f}")
    print(" | ".join(cells), flush=True)
