"""Every test of replayed functions runs twice."""

import pytest
from agreement import program


@pytest.fixture(autouse=True, params=["as_written", "together"])
def passes(request, monkeypatch):
    """Programs that do what the graph did, bit for bit; and those that do at once what it did step by step."""
    if request.param == "as_written":
        monkeypatch.setattr(program, "PASSES", ())
    return request.param
