"""Whose state an optimiser's state is: it goes to the parameters by position, so their order must be the saved one."""

import zlib
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.nn.module import Parameter

Fingerprint = list[Any]  # a name or None, a shape as a list, a checksum of the values


def fingerprints(parameters: list[Parameter]) -> list[Fingerprint]:
    """Return the name, the shape and a checksum of the values of every parameter, in order."""
    arrays = [host.ascontiguousarray(to_host(parameter.array)) for parameter in parameters]
    return [[p.name, list(p.shape), zlib.crc32(array.data)] for p, array in zip(parameters, arrays)]


def check_order(place: str, parameters: list[Parameter], saved: list[Fingerprint]) -> None:
    """Raise ValueError if the saved fingerprints are of other parameters, or of these in another order.

    Names and shapes must agree. Checksums need not: the model itself may be loaded later. But where the same checksums
    come in another order, the parameters do. A state that was saved without fingerprints is taken as it is.
    """
    ours = fingerprints(parameters) if saved else []
    checksums, old_checksums = [entry[2] for entry in ours], [entry[2] for entry in saved]
    same_values = sorted(checksums) == sorted(old_checksums)
    for i, ((name, shape, checksum), (old_name, old_shape, old_checksum)) in enumerate(zip(ours, saved)):
        renamed = None not in (name, old_name) and name != old_name
        moved = same_values and checksum != old_checksum
        if renamed or shape != old_shape or moved:
            now = f"what was parameter {old_checksums.index(checksum)}" if moved else f"{name} {shape}"
            raise ValueError(
                f"{place}: parameter {i} was {old_name or 'one'} {old_shape} when this was saved, now it is {now}: "
                "pass the parameters in the same order"
            )
