"""Small real data that need no download; DATA.md beside this file says where they come from and under what licence."""

from importlib.resources import files
from typing import Any

from tinygrad_seq.engine.backend import default_dtype, host


def rows(name: str) -> list[list[str]]:
    """Return the rows of a table in this folder, without its heading."""
    text = files("tinygrad_seq.data").joinpath(name).read_text(encoding="utf-8")
    return [line.split(",") for line in text.splitlines()[1:]]


def sunspots() -> Any:
    """Return the yearly mean sunspot number, 1700 to 2008, float32 (309,). It rises and falls in about 11 years.

    Source: National Geophysical Data Center, as in statsmodels 0.15.0; public domain.

    >>> import tinygrad_seq as ts
    >>> ts.data.sunspots()[:4]
    array([ 5., 11., 16., 23.], dtype=float32)
    """
    return host.array([float(number) for _, number in rows("sunspots.csv")], dtype=default_dtype)


def cities() -> tuple[list[str], list[str]]:
    """Return the names of 418 cities, and for each its part of the world: America, Asia, Europe, Africa, ...

    Source: `zone.tab` of the IANA time zone database, release 2025b; public domain. The ten areas are of very different
    sizes: 144 cities are in America, one is in the Arctic.

    >>> import tinygrad_seq as ts
    >>> names, areas = ts.data.cities()
    >>> names[0], areas[0]
    ('Abidjan', 'Africa')
    """
    names, areas = zip(*rows("cities.csv"))
    return list(names), list(areas)


def python_manual() -> str:
    """Return the pages of Python's reference manual that every CPython carries: about 460,000 characters of English.

    Source: the module `pydoc_data.topics` of the interpreter that runs; PSF License. The text differs a little between
    versions of Python.

    >>> import tinygrad_seq as ts
    >>> "yield" in ts.data.python_manual()
    True
    """
    from pydoc_data.topics import topics  # half a megabyte, read when asked for

    return "\n\n".join(page for _, page in sorted(topics.items()))
