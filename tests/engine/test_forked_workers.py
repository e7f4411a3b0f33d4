"""Processes that are forked go on from one state of the default generator; each may seed itself anew."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, os
import tinygrad_seq as ts

def workers(seed):
    drawn = []
    for number in range(3):
        reader, writer = os.pipe()
        if os.fork() == 0:
            seed(number)
            os.write(writer, json.dumps(ts.rand(2).tolist()).encode())
            os._exit(0)
        drawn.append(json.loads(os.read(reader, 1000)))
        os.wait()
    return drawn

ts.manual_seed(5)
found = [workers(lambda number: None), workers(lambda number: ts.manual_seed(5 + number)), ts.rand(2).tolist()]
print(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_workers_draw_the_same_numbers_unless_each_has_a_seed_of_its_own():
    """In a process of its own, for the one that runs the tests may have threads."""
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    alike, seeded, parent = json.loads(found.stdout)
    assert alike == [parent] * 3
    assert len(set(map(tuple, seeded))) == 3
