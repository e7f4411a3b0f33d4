"""Programs of two kinds: what is said of one is said of both."""

import pytest
from agreement import program


@pytest.fixture(autouse=True)
def passes(request, monkeypatch):
    """Programs that do at once what the graph did step by step; "as_written" those that do what it did, bit for bit."""
    kind = getattr(request, "param", "together")
    if kind == "as_written":
        monkeypatch.setattr(program, "PASSES", ())
    return kind
