"""Find the stretches of a sequence that repeat with a period, in n log n."""

from collections.abc import Iterator, Sequence

from tinygrad_seq.engine.backend import host


def stretches(tokens: Sequence[int], least: int) -> Iterator[tuple[int, int, int]]:
    """Yield period, start and end of the stretches in which tokens repeat, of at least so many periods; some twice.

    By doubling: the ranks of all runs of w tokens give those of 2w. Runs of w find the periods from w / 2 to 2w.
    """
    width, (values, ranks) = 1, host.unique(tokens, return_inverse=True)
    while len(values) < len(ranks):  # some run of that width is there twice
        order = host.argsort(ranks, kind="stable")
        again = host.zeros(len(ranks), int)  # how far it is to the same run again
        same = ranks[order[1:]] == ranks[order[:-1]]
        again[order[:-1][same]] = (order[1:] - order[:-1])[same]
        again[(again * 2 < width) | (again > 2 * width)] = 0
        edges = host.flatnonzero(host.diff(again)) + 1
        starts, ends = host.append(0, edges), host.append(edges, len(again))
        periods = again[starts]
        long = (periods > 0) & (ends - starts + width - 1 >= (least - 1) * periods)
        yield from zip(periods[long].tolist(), starts[long].tolist(), (ends + width - 1 + periods)[long].tolist())
        pairs = ranks[:-width] * len(values) + ranks[width:]
        width, (values, ranks) = 2 * width, host.unique(pairs, return_inverse=True)
