"""What a function reaches by a name that it makes, or by an import, is looked at as well."""

import sys
from types import ModuleType

import pytest

import tinygrad_seq as ts

x = ts.tensor([1.0, 2.0, 3.0])


class Chosen:
    """Calls a method by a name that it makes."""

    kind = "scaled"

    def by_scaled(self, x):
        return x * factor

    def __call__(self, x):
        return getattr(self, f"by_{self.kind}")(x)


factor = 1.0
settings = ModuleType("settings")


def imports(x):
    from settings import factor

    return x * factor


def imports_all(x):
    import settings

    return x * settings.factor


def made_name(x):
    return x * getattr(settings, "fac" + "tor")


@pytest.mark.parametrize("function", [Chosen(), imports, imports_all, made_name])
def test_numbers_behind_a_name_that_is_made_or_an_import_are_noticed(monkeypatch, function):
    monkeypatch.setitem(sys.modules, "settings", settings)
    monkeypatch.setattr(settings, "factor", 1.0, raising=False)
    fast = ts.replay(lambda x: function(x))
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    monkeypatch.setattr(settings, "factor", 2.0)
    monkeypatch.setitem(globals(), "factor", 2.0)
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
