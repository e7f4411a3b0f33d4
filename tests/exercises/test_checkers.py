"""The checkers of the exercises: a right answer is praised; a wrong one is told what is wrong, and the likely cause."""

import re
import sys
import textwrap

import numpy as np
import pytest
from answers import HEAD, OTHERS, RIGHT, WRONG

import tinygrad_seq as ts
from tinygrad_seq.engine.backend import default_device
from tinygrad_seq.engine.primitive import registry
from tinygrad_seq.exercises import gradients, libraries, sequences, steps
from tinygrad_seq.exercises.__main__ import STOPS, main
from tinygrad_seq.exercises.stop import Stop


@pytest.fixture(autouse=True)
def as_at_a_prompt(monkeypatch, tmp_path):
    """In a folder of its own, on the CPU; an op of the answer is forgotten."""
    monkeypatch.chdir(tmp_path)
    token, known = default_device.set("cpu"), set(registry)
    yield
    default_device.reset(token)
    for name in set(registry) - known:
        del registry[name]


def said(stop, source, capsys):
    """What is said of an answer, and the exit status."""
    with open("answer.py", "w", encoding="utf-8") as file:
        file.write(HEAD + textwrap.dedent(source))
    status = main([str(stop), "answer.py"])
    return capsys.readouterr().out, status


def test_every_stop_has_answers():
    assert set(RIGHT) == set(WRONG) == set(STOPS) and all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize("stop", RIGHT)
def test_a_right_answer_is_praised(stop, capsys):
    text, status = said(stop, RIGHT[stop], capsys)
    assert status == 0 and re.fullmatch(rf"stop {stop}: right: .* in 20 cases, largest difference \S+\n", text), text


@pytest.mark.parametrize("stop, source", OTHERS)
def test_another_way_is_right_too(stop, source, capsys):
    text, status = said(stop, source, capsys)
    assert status == 0, text


def test_what_autograd_computes_is_not_by_hand(capsys):
    text, status = said(4, """
        def bptt(xs, w_x, w_s):
            weights = [ts.tensor(w, dtype="float64", requires_grad=True) for w in (w_x, w_s)]
            s = 0.0
            for x in xs:
                s = ts.tanh(weights[0] * x + weights[1] * s)
            return [g.item() for g in ts.grad(s, weights)]
    """, capsys)  # fmt: skip
    assert status == 1 and "plain Python numbers" in text


@pytest.mark.parametrize("stop, right, wrong, says", [(stop, *row) for stop, rows in WRONG.items() for row in rows])
def test_a_wrong_answer_is_told_the_cause(stop, right, wrong, says, capsys):
    assert right in RIGHT[stop]
    text, status = said(stop, RIGHT[stop].replace(right, wrong), capsys)
    assert status == 1 and text.startswith(f"stop {stop}: ") and re.search(says, text, flags=re.S), text


NUMBERS = {"embed": 1, "elman": 2, "shares": 3, "bptt": 4, "encode_decode": 5, "clip": 6, "gru_step": 7, "softsign": 8,
           "standardise": 9, "run": 10, "penalty": 11}  # fmt: skip
ROOMS = (steps, sequences, gradients, libraries)
FOUND = [stop for room in ROOMS for stop in vars(room).values() if type(stop) is Stop]
MISTAKES = [(stop, *mistake) for stop in FOUND for mistake in stop.mistakes]


def test_every_stop_is_reached():
    assert {stop.name: STOPS[NUMBERS[stop.name]].__self__ for stop in FOUND} == {stop.name: stop for stop in FOUND}
    assert set(NUMBERS) == {stop.name for stop in FOUND}


@pytest.mark.parametrize("stop, old, new, why", MISTAKES)
def test_each_mistake_is_told_apart_from_the_others(stop, old, new, why, capsys):
    assert old in stop.source
    text, status = said(NUMBERS[stop.name], stop.source.replace(old, new), capsys)
    assert status == 1 and text.endswith(f"\n{why}\n"), text


@pytest.mark.parametrize("trial", [0, 3, 19])
def test_shares_add_up_to_the_gradient(trial):
    xs, h, w_ih, w_hh = sequences.shares.given(trial).values()
    total = sum(share.numpy() for share in sequences.shares.program()(xs, h, w_ih, w_hh))
    for x in xs:
        h = (x @ w_ih.T + h @ w_hh.T).tanh()
    np.testing.assert_allclose(total, ts.grad(h.sum(), w_hh).numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("source, says", [
    ("def bptt(xs, w_x, w_s):\n    return 1 +",
     r"answer\.py, line 5: this is not Python: invalid syntax\n    return 1 \+"),
    ("x = 1 / 0", r"running the file raised ZeroDivisionError: division by zero\n    answer\.py, line 4: x = 1 / 0"),
    ("raise SystemExit", "running the file raised SystemExit"),
    ("def btpp(xs, w_x, w_s): pass", r"no function 'bptt' \(there is 'btpp'\)\. Write: def bptt\(xs, w_x, w_s\):"),
    ("bptt = 3", "'bptt' is not a function"),
    ("def bptt(xs): pass", r"line 4: bptt is called with 3 arguments, but yours is bptt\(xs\)"),
    ("def bptt(xs, w_x, w_s):\n    return xs[9], 0.0",
     r"bptt\(xs = .*raised IndexError.*\n    answer\.py, line 5: return xs\[9\]"),
    ("def bptt(xs, w_x, w_s):\n    return 1.0", "a value of type float. Wanted: a list of 2"),
    ("def bptt(xs, w_x, w_s):\n    return 'a', 'b'", "a value of type str; wanted: float or int or number"),
    ("def bptt(xs, w_x, w_s):\n    return float('inf'), 0.0", "not finite: inf"),
    ("def bptt(xs, w_x, w_s):\n    return True, False", "values of dtype bool; wanted: numbers"),
    ("def bptt(xs, w_x, w_s):\n    return np.zeros(2), 0.0", "type ndarray; wanted: float"),
    ("def bptt(xs, w_x, w_s):\n    return no.thing", "NameError: name 'no' is not defined"),
])  # fmt: skip
def test_a_bad_file_is_told_in_a_sentence(source, says, capsys):
    text, status = said(4, source, capsys)
    assert status == 1 and re.search(says, text), text
    assert "Traceback" not in text and "exercises" not in text


@pytest.mark.parametrize("content, says", [
    (None, "no such file"), (b"\xff\xfe", "line|read"), (b"\0", "read|line 1: .*Python"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_told(content, says, tmp_path, capsys):
    if content is not None:
        (tmp_path / "bad.py").write_bytes(content)
    assert main(["4", "bad.py"]) == 1
    assert re.search(f"bad.py.*({says})", capsys.readouterr().out)


def test_a_missing_import_is_told(tmp_path, capsys):
    (tmp_path / "answer.py").write_text(textwrap.dedent(RIGHT[6]))
    assert main(["6", "answer.py"]) == 1
    assert re.search(r"NameError.*\n.*line 3.*\n.*missing in the file\?  import numpy as np", capsys.readouterr().out)


def test_a_file_is_a_module_in_its_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "answer", None)
    (tmp_path / "in_its_folder.py").write_text("one = 1.0")
    source = """
        from __future__ import annotations
        import pickle
        from dataclasses import dataclass
        import numpy as np
        from in_its_folder import one

        @dataclass
        class State:
            s: float = 0.0

        assert pickle.loads(pickle.dumps(State(one))) == State(1.0)
    """
    (tmp_path / "answer.py").write_text(textwrap.dedent(source) + textwrap.dedent(RIGHT[4]))
    before = list(sys.path)
    monkeypatch.chdir(tmp_path.parent)
    assert main(["4", str(tmp_path / "answer.py")]) == 0, capsys.readouterr().out
    assert sys.path == before


@pytest.mark.parametrize("stop, old, new, says", [
    (0, "class Tensor", "class Tensors", "no class 'Tensor' (there is 'Tensors'). Write: class Tensor: with def"),
    (8, "softsign", "soft_sign", "(there is 'soft_sign'). Write: @ts.primitive above def softsign(xp, x):"),
])
def test_what_is_missing_is_written_as_the_stop_wants_it(stop, old, new, says, capsys):
    text, status = said(stop, RIGHT[stop].replace(old, new), capsys)
    assert status == 1 and says in text, text


@pytest.mark.parametrize("given", [["12", "answer.py"], ["x", "answer.py"], ["4"]])
def test_a_stop_without_an_exercise_is_refused(given, capsys):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2 and "usage: python -m tinygrad_seq.exercises" in capsys.readouterr().err


def test_a_missing_primitive_is_told_from_a_wrong_signature(capsys):
    text, status = said(8, "def softsign(xp, x):\n    return x / (1.0 + abs(x))", capsys)
    assert status == 1 and "Write: @ts.primitive above def softsign(xp, x):" in text
    text, status = said(8, "def softsign(x):\n    return x / (1.0 + abs(x))", capsys)
    assert status == 1 and re.search("softsign is a plain function|wanted", text)
