"""The picture of the house in docs/architecture.md is what the imports say, and every arrow in it leads up."""

import re
import sys
from functools import cache
from pathlib import Path

import pytest
from test_floors import FLOORS, names

sys.path.append(str(Path(__file__).parents[2] / "docs" / "figures"))

import house


@cache
def drawn():
    return house.drawn().source


def test_the_picture_is_what_the_imports_say():
    assert (house.HERE / "house.dot").read_text(encoding="utf-8") == drawn()


def test_the_svg_is_made_of_that_text():
    svg = (house.HERE / "house.svg").read_text(encoding="utf-8")
    arrows = [title.replace("&#45;&gt;", " -> ") for title in re.findall(r"<title>([^<]*&gt;[^<]*)</title>", svg)]
    assert sorted(arrows) == sorted(re.findall(r"^\t(\w+ -> \w+) \[", drawn().replace('"graph"', "graph"), re.M))
    boxes = re.findall(r'<g id="node\d+" class="node">\n<title>(\w+)</title>', svg)
    assert sorted(boxes) == sorted(set(house.ROOMS) - {"__init__"})


@pytest.mark.parametrize("name", [name for name in names if name not in ("", "engine")])
def test_every_module_is_in_a_room_on_its_floor(name):
    room = house.room_of(name)
    level = [level for level, (_, *rows) in enumerate(house.FLOORS) for row in rows if room in row]
    above = name == "__init__" or house.room_of(name) in house.PROGRAMS
    assert level == ([] if above else [FLOORS[name.partition(".")[0]]])


def test_arrows_lead_up_or_to_the_right():
    at = house.places()
    for room, other in house.reduced(house.imports()):
        if room != "__init__":
            (x, y), (u, v) = at[other], at[room]
            assert v > y or (v == y and u - x == house.COLUMN), f"{other} -> {room}"


def test_an_import_that_others_imply_is_left_out():
    edges = {("nn", "ops"), ("ops", "graph"), ("nn", "graph"), ("data", "graph")}
    assert house.reduced(edges) == [("data", "graph"), ("nn", "ops"), ("ops", "graph")]
