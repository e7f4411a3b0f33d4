"""How the suite runs: Hypothesis profiles, and warnings as errors. (Markers are declared in pyproject.toml.)

HYPOTHESIS_PROFILE picks how long to look for counterexamples: "dev" (seconds, the default), "ci" (the default where CI
is set: the same examples every time) or "deep" (an hour's patience).
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
