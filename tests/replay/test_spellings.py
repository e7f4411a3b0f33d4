"""NumPy lets a call be spelled in many ways. A primitive may use any of them, and a program does the same."""

import importlib

import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq.engine.primitive import registry

tape = importlib.import_module("tinygrad_seq.replay.trace.tape")
normal_form = importlib.import_module("tinygrad_seq.replay.passes.normal_form")
ALIKE = {  # of what stands in the normal form: the spellings, of a matrix x of shape (3, 4)
    ("transpose", (1, 0)): [
        "x.T", "x.transpose()", "x.transpose(1, 0)", "x.transpose((-1, -2))", "xp.transpose(x)",
        "xp.transpose(x, axes=(1, 0))", "x.swapaxes(0, 1)", "xp.swapaxes(x, axis1=-1, axis2=0)",
    ],
    ("reshape", (2, 6)): ["x.reshape(2, 6)", "x.reshape(2, -1)", "x.reshape((-1, 6))", "xp.reshape(x, (2, 6))"],
    ("reshape", (12,)): ["x.ravel()", "xp.ravel(x)", "x.reshape(-1)"],
    ("reshape", (1, 3, 4)): ["xp.expand_dims(x, 0)", "xp.expand_dims(x, axis=-3)", "x.reshape(1, 3, 4)"],
    ("sum", ("axis", (1,))): ["x.sum(1)", "x.sum(axis=-1)", "xp.sum(x, (1,))", "xp.sum(x, 1, None, None, False)"],
    ("sum", ("axis", (0,)), ("keepdims", True)): ["x.sum(0, None, None, True)", "xp.sum(x, axis=(-2,), keepdims=True)"],
    ("sum",): ["x.sum()", "xp.sum(x, None)", "x.sum(axis=None, keepdims=False)"],
    ("max", ("axis", (1,)), ("keepdims", True)): ["x.max(1, None, True)", "xp.max(x, -1, keepdims=True)"],
    ("argmax", ("axis", (1,))): ["x.argmax(1)", "xp.argmax(x, axis=-1)"],
    ("clip", -0.5, 0.5): [
        "x.clip(-0.5, 0.5)", "xp.clip(x, -0.5, 0.5)", "xp.clip(x, a_min=-0.5, a_max=0.5)", "x.clip(min=-0.5, max=0.5)",
        "xp.clip(x, -0.5, a_max=0.5)",
    ],
    ("clip", None, 0.5): ["x.clip(max=0.5)", "xp.clip(x, None, 0.5)", "xp.clip(x, a_max=0.5, a_min=None)"],
}  # fmt: skip
JOINED = {  # of two matrices
    ("concatenate", 1): ["xp.concatenate((x, x), 1)", "xp.concatenate([x, x], axis=-1)"],
    ("concatenate", 0): ["xp.concatenate((x, x))", "xp.concatenate((x, x), axis=-2)"],
    ("transpose", (1, 0, 2)): ["xp.stack((x, x), 1)", "xp.stack([x, x], axis=-2)"],
    ("transpose", (1, 2, 0)): ["xp.stack((x, x), -1)"],
    ("stack", 0): ["xp.stack((x, x))", "xp.stack((x, x), axis=0)"],
}
OTHERS = ["xp.linalg.norm(x, axis=1)", "xp.concatenate((x, x), None)", "xp.einsum('ij,kj->ik', x, x)"]
SPELLINGS = [text for texts in (*ALIKE.values(), *JOINED.values(), OTHERS) for text in texts]


@pytest.fixture
def primitive_of():
    """Make a primitive of a text."""
    known = set(registry)

    def made(text):
        function = eval(f"lambda xp, x: {text}")
        function.__name__ = f"spelled_{len(registry)}"
        return ts.primitive(function)

    yield made
    for name in set(registry) - known:
        del registry[name]


@pytest.mark.parametrize("said, texts", [*ALIKE.items(), *JOINED.items()], ids=str)
def test_what_means_the_same_is_said_the_same(said, texts, primitive_of, monkeypatch):
    forms = []
    kept = normal_form.normal_form
    plan = importlib.import_module("tinygrad_seq.replay.plan")
    monkeypatch.setattr(plan, "normal_form", lambda tape: forms.append([*kept(tape)]) or forms[-1])
    for text in texts:
        op, x = primitive_of(text), ts.randn(3, 4)
        ts.replay(lambda x, op=op: op(x))(x)
        last = forms[-1][-1]
        assert (last.function, *last.args[1:], *last.options.items()) == said, text


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_computes_the_same(text, primitive_of):
    op, x = primitive_of(text), ts.randn(3, 4, device="cpu" if "linalg" in text else None)  # the double has none
    fast, expected = ts.replay(lambda x: op(x + 0.25)), op(x + 0.25)
    for _ in range(2):
        found = fast(x)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert_agree(expected, found)


@pytest.mark.slow
def test_every_spelling_is_compiled(primitive_of):
    ops = [primitive_of(text) for text in SPELLINGS if text not in OTHERS]

    def run(x):
        return tuple(op(x * 0.5 + k).to("float32") * 2.0 for k, op in enumerate(ops))

    fast, x = ts.replay(run, compile=True), ts.randn(3, 4)
    for one, other in zip(run(x), fast(x), strict=True):
        assert one.shape == other.shape
        assert_agree(one, other)


def test_what_gives_no_array_is_refused(primitive_of):
    for text, what in (("xp.add.reduce(x, 0)", "add.reduce"), ("xp.split(x, 3)", "split gives list")):
        op = primitive_of(text)
        with pytest.raises(tape.TraceError, match=what):
            ts.replay(lambda x, op=op: op(x))(ts.randn(3, 4))
