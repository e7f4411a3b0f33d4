"""Find the stretches of a sequence that repeat with a period, in n log n."""

from collections.abc import Iterator, Sequence

from tinygrad_seq.engine.backend import host


def stretches(tokens: Sequence[int], least: int) -> Iterator[tuple[int, int, int]]:
    """Yield period, start and end of the stretches in which tokens repeat, of at least so many periods.

    By doubling: the ranks of all runs of w tokens give those of 2w. Runs of w find the periods from w / 2 to 2w.
    """
    ranks, width, count = host.asarray(tokens), 1, len(tokens)
    seen: set[tuple[int, int]] = set()
    while len(ranks) > 1 and width < count:
        order = host.argsort(ranks, kind="stable")
        again = host.zeros(len(ranks), int)  # how far it is to the same run again
        same = ranks[order[1:]] == ranks[order[:-1]]
        again[order[:-1][same]] = (order[1:] - order[:-1])[same]
        again[(again * 2 < width) | (again > 2 * width)] = 0
        edges = host.flatnonzero(host.diff(again)) + 1
        starts, ends = host.append(0, edges), host.append(edges, len(again))
        periods = again[starts]
        long = (periods > 0) & (ends - starts + width - 1 >= (least - 1) * periods)
        for found in zip(periods[long].tolist(), starts[long].tolist(), (ends + width - 1 + periods)[long].tolist()):
            if found[:2] not in seen:
                seen.add(found[:2])
                yield found
        if not same.any():
            break
        pairs = ranks[:-width].astype("int64") * (int(ranks.max()) + 1) + ranks[width:]
        ranks, width = host.unique(pairs, return_inverse=True)[1].reshape(-1), 2 * width
