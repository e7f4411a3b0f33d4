"""What `import *` and a type checker take from the package is every public name, and no room of the house."""

import tinygrad_seq as ts

ROOMS = {"checks", "drawing", "engine", "saving"}
PROGRAMS = {"explain", "exercises", "overview", "testing"}  # there once somebody has imported them
PUBLIC = {name for name in vars(ts) if not name.startswith("_")} - ROOMS - PROGRAMS - {"TYPE_CHECKING"}


def test_every_public_name_is_exported():
    assert sorted(ts.__all__) == sorted(PUBLIC)
