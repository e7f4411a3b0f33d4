"""Saving a picture: an SVG comes out whatever Graphviz does, an error in time, and no file is ever half written."""

import io
import os
import re
import struct
import sys
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pictures import needs_graphviz

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw, picture
from tinygrad_seq.saving import atomic_file


def drawing(steps=3):
    return draw(ts.nn.LSTM(3, 4)(ts.randn(steps, 2, 3))[0])


def whole(steps):
    """Every step of a small loop."""
    h = x = ts.tensor([1.0], requires_grad=True).named("x")
    for t in range(steps):
        with ts.scope(step=t):
            h = (h * x).tanh().named("h")
    return draw(h, steps=(steps, 0))


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program called dot, with this text, on an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(text):
        (folder / "dot").write_text(text)
        (folder / "dot").chmod(0o755)

    return make


def refused(found, path, match, **options):
    """Fail to save a PDF, with advice, and leave what was there."""
    path = path.with_suffix(".pdf")
    path.write_text("before")
    with pytest.raises(RuntimeError, match=rf"a \.pdf file needs Graphviz.*{match}") as caught:
        found.save(path, **options)
    assert all(advice in str(caught.value) for advice in ("apt install graphviz", "steps=", ".svg", "rsvg-convert"))
    assert path.read_text() == "before" and os.listdir(path.parent) == [path.name]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "x.svg"


def test_no_dot_at_all(program, path):
    refused(drawing(), path, "was not found")


def test_an_svg_file_is_our_own_picture_whatever_graphviz_does(program, path):
    program("#!/bin/sh\nexit 1\n")
    found = drawing()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.save(path)
    assert path.read_text(encoding="utf-8") == found.svg and os.listdir(path.parent) == [path.name]


def test_a_dot_that_sleeps_for_ever_is_stopped_with_all_it_started(program, path, tmp_path):
    note = tmp_path / "note"
    program(f"#!/bin/sh\n/bin/sleep 300 & echo $! > {note}\nwait\n")
    start = time.perf_counter()
    refused(drawing(), path, "within 1 seconds", timeout=1)
    assert time.perf_counter() - start < 9
    child = Path(f"/proc/{note.read_text().strip()}/stat")
    if sys.platform == "linux":
        deadline = time.perf_counter() + 5
        while child.exists() and child.read_text().split()[2] != "Z" and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert not child.exists() or child.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    "text, match",
    [
        ("#!/bin/sh\necho broken >&2; exit 3\n", "exit status 3.*broken"),
        ("#!/bin/sh\nexit 0\n", "failed"),
        ("#!/bin/sh\nkill -SEGV $$\n", "exit status -11"),
        ("#!/no/such/program\n", "could not be started"),
    ],
)
def test_a_dot_that_fails(program, path, text, match):
    program(text)
    refused(drawing(), path, match)


def test_a_png_that_graphviz_would_scale_down_is_refused_before_it_runs(program, path, tmp_path):
    program(f"#!/bin/sh\n: > {tmp_path / 'ran'}\nexit 1\n")
    found = whole(200)
    width = float(re.search(r'width="([\d.]+)"', found.svg)[1]) * 96 / 72
    with pytest.raises(RuntimeError, match=r"pixels.*up to 32,767.*steps=.*\.svg.*\.html") as caught:
        found.save(path.with_suffix(".png"))
    assert abs(int(str(caught.value).split("would be ")[1].split(" x")[0].replace(",", "")) - width) < 1
    assert not (tmp_path / "ran").exists() and not os.listdir(path.parent)


@needs_graphviz
def test_a_png_is_as_large_as_its_svg(path):
    found = whole(150)
    found.save(path.with_suffix(".png"))
    sizes = struct.unpack(">II", path.with_suffix(".png").read_bytes()[16:24])
    wide, high = re.search(r'width="([\d.]+)" height="([\d.]+)"', found.svg).groups()
    assert sizes == pytest.approx((float(wide) * 96 / 72, float(high) * 96 / 72), abs=3)


@pytest.mark.slow
@needs_graphviz
def test_a_pdf_of_ten_thousand_nodes_takes_no_longer_than_the_time_limit(path):
    found = whole(3400)
    assert found.count() > 10_000
    found.save(path.with_suffix(".pdf"))
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


class Full(io.FileIO):
    """A file on a disk that is full after five bytes."""

    def write(self, content):
        super().write(content[:5])
        raise OSError("no space left")


def full(*_):
    raise OSError("no space left")


@pytest.mark.parametrize("owner, name, fails", [(atomic_file, "open", Full), (os, "replace", full)])
def test_a_write_that_fails_leaves_what_was_there(path, monkeypatch, owner, name, fails):
    path = path.with_suffix(".dot")
    path.write_text("before")
    monkeypatch.setattr(owner, name, fails, raising=False)
    with pytest.raises(OSError, match="no space left"):
        drawing().save(path)
    assert path.read_text() == "before" and os.listdir(path.parent) == [path.name]


def test_dot_text_needs_nothing_installed(program, path):
    found = drawing()
    found.save(path.with_suffix(".dot"))
    assert path.with_suffix(".dot").read_text(encoding="utf-8") == found.dot


@pytest.mark.parametrize("saved", [lambda: drawing(), lambda: ts.diff(drawing(), drawing())])
def test_what_is_no_path_is_refused_by_name(saved, path):
    with pytest.raises(TypeError, match="save: expected a path, got int 5"):
        saved().save(5)
    with pytest.raises(TypeError, match="save: timeout must be a number, got str"):
        drawing().save(path.with_suffix(".png"), timeout="soon")


def test_another_ending(path):
    with pytest.raises(ValueError, match=r"must end in \.svg"):
        drawing().save(path.with_suffix(".bmp"))


def test_a_notebook_shows_it(program):
    found = drawing()
    shown = found._repr_mimebundle_()
    assert list(shown) == ["text/plain", "text/html", "image/svg+xml"]
    assert (shown["text/plain"], shown["image/svg+xml"]) == ("<Drawing of 57 nodes>", found.svg)
    assert set(found._repr_mimebundle_(include={"image/svg+xml"})) == {"image/svg+xml"}
    assert set(found._repr_mimebundle_(exclude={"image/svg+xml"})) == {"text/plain", "text/html"}


def test_a_notebook_is_never_stopped(monkeypatch):
    def broken(*_):
        raise KeyError("no")

    monkeypatch.setattr(picture, "page", broken)
    assert list(drawing()._repr_mimebundle_()) == ["text/plain", "image/svg+xml"]
    monkeypatch.setattr(picture, "svg", broken)
    assert drawing()._repr_mimebundle_() == {"text/plain": "<Drawing of 57 nodes>"}
    monkeypatch.setattr(picture, "within", broken)
    assert drawing()._repr_mimebundle_() == {"text/plain": "<Drawing that cannot be shown: KeyError>"}


def test_the_frame_holds_the_page_to_the_letter():
    x = ts.tensor(2.0, requires_grad=True).named('"&quot;<b>')
    found = ts.draw(x * x)
    frames = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: frames.append((tag, dict(attributes)))
    parser.feed(found._repr_mimebundle_()["text/html"])
    assert [tag for tag, _ in frames] == ["iframe"]
    assert frames[0][1]["srcdoc"] == found.html and "width: 100%" in frames[0][1]["style"]


def test_a_page_too_large_for_a_notebook_is_shown_as_its_picture(monkeypatch):
    monkeypatch.setattr(picture, "LARGEST_FRAME", 1000)
    assert list(drawing()._repr_mimebundle_()) == ["text/plain", "image/svg+xml"]
