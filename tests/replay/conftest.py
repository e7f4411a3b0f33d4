"""Programs of two kinds: what is said of one is said of both."""

import importlib
import importlib.util
import re

import pytest
from agreement import plan, program

compiled = importlib.import_module("tinygrad_seq.replay.compiled.machine_code")
traced_call = importlib.import_module("tinygrad_seq.replay.traced_call")


@pytest.fixture(autouse=True)
def passes(request, monkeypatch, tmp_path_factory):
    """Programs that do at once what the graph did step by step.

    "as_written" are those that do what the graph did, bit for bit, in arrays that they keep; "over elements" are those
    that would be compiled, run by Python.
    """
    kind = getattr(request, "param", "together")
    if hasattr(request, "param"):
        monkeypatch.setattr(program, "large", 1)  # every array is one that is kept from call to call
    if kind == "as_written":
        monkeypatch.setattr(plan, "PASSES", ())
    if kind == "over elements":
        if importlib.util.find_spec("numba") is None or request.config.getoption("device") != "cpu":
            pytest.skip("loops over elements use functions that Numba compiles, on the CPU")
        own, plain = (
            traced_call.Program,
            re.sub("compiled = njit.*", "compiled = lambda function: function", compiled.HEAD),
        )
        monkeypatch.setattr(traced_call, "Program", lambda *args: own(*args[:3], True))
        monkeypatch.setattr(compiled, "HEAD", plain)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return kind
