"""How the suite runs: Hypothesis profiles, and warnings as errors. (Markers are declared in pyproject.toml.)

`--device=double` makes every Tensor on the strict double of CuPy, unless a test says where it wants it.
HYPOTHESIS_PROFILE picks how long to look for counterexamples: "dev" (seconds, the default), "ci" (the default where CI
is set: the same examples every time), "deep" (an hour's patience) or "faults" (as "dev", but content with any
counterexample: planted_faults.py asks only whether there is one). The fixture `gpu` lends `device="cuda"`.
"""

import gc
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest
import strict_cupy
from cannot_run_on_a_device import FAILS, LEFT_OUT, reason_for
from hypothesis import HealthCheck, Phase, settings

from tinygrad_seq.engine.backend import default_device

settings.register_profile("dev", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("faults", settings.get_profile("dev"), phases=[Phase.explicit, Phase.generate])
settings.register_profile("ci", max_examples=30, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", choices=["cpu", "double", "double:1"], default="cpu",
                     help="where Tensors are made unless a test says otherwise: NumPy, or the strict double of CuPy")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
    if config.getoption("device") != "cpu":
        strict_cupy.install()
        default_device.set(config.getoption("device").replace("double", "cuda"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if config.getoption("device") != "cpu" else ():
        if reason := reason_for(item.nodeid, LEFT_OUT):
            item.add_marker(pytest.mark.skip(reason=reason))
        elif reason := reason_for(item.nodeid, FAILS):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # thousands of tests, which no later search for cycles has to look through again


@pytest.fixture(scope="module", params=["double", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The counters of the double, or None for a real device."""
    double = request.config.getoption("device") != "cpu"
    if request.param == "real":
        if double or importlib.util.find_spec("cupy") is None or not __import__("cupy").cuda.is_available():
            pytest.skip("no CuPy or no GPU here")
        yield None
    else:
        strict_cupy.install()
        yield strict_cupy.counts
        if not double:  # else it stays for the session
            strict_cupy.uninstall()
