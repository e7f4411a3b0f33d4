"""Many to many, in step: can a network colour Python code that it has never seen, without a parser?

    python demos/highlighter.py                a minute; prints colours, and leaves a page to look at
    python demos/highlighter.py --file x.py    colours your file in the end

Every character gets a class: keyword, name, number, string, comment, operator or space. That is the shape of tagging
words as names of people and places. It reads in both directions, for what a character is may show later. It learns
from modules of the standard library, labelled by `tokenize`; other modules judge it.
"""

import io
import keyword
import tokenize
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from lesson import run, score, text_of, train

import tinygrad_seq as ts
from tinygrad_seq import nn

CLASSES = ("space", "keyword", "name", "number", "string", "comment", "operator")
TERMINAL = ("0", "1;35", "0", "36", "32", "2;3", "34")
PAGE = ("inherit", "#a626a4", "#383a42", "#986801", "#2e7d32", "#8a8f98", "#2e86ab")
PAGE_TEXT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Coloured by a network</title>
<style>i {{ font-style: normal }} {style} .wrong {{ background: #ffd0c8 }} body {{ margin: 2em; font: 1em sans-serif }}
</style><p>Coloured by a network; on a red ground the tokenizer says otherwise.</p><pre>{code}</pre></html>"""
LEARNED = ["argparse", "ast", "dataclasses", "enum", "fractions", "functools", "gettext", "heapq", "inspect", "locale",
           "optparse", "random", "shutil", "smtplib", "statistics", "subprocess", "tarfile", "textwrap", "threading",
           "typing", "ipaddress"]  # fmt: skip
JUDGES = ["bisect", "calendar", "csv", "glob", "shlex"]
ASCII = ts.data.Vocabulary(["?", "\n", *map(chr, range(32, 63)), *map(chr, range(64, 127))], unknown="?")


def labels(text):
    """Return the class of every character, as the tokenizer of Python sees it."""
    starts, found = np.cumsum([0, *map(len, text.splitlines(keepends=True))]), np.zeros(len(text), int)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type].lower().replace("op", "operator")
        kind = "string" if "string" in kind else "keyword" if keyword.iskeyword(token.string) else kind
        if kind in CLASSES:
            first, last = (starts[row - 1] + column for row, column in (token.start, token.end))
            found[first:last] = CLASSES.index(kind)
    return found


class Tagger(nn.Module):
    """Ids of characters (T, B) -> scores of their classes (T, B, C)."""

    def __init__(self, hidden):
        self.embedding = nn.Embedding(len(ASCII), 24)
        self.reader = nn.LSTM(24, hidden, bidirectional=True)
        self.head = nn.Linear(2 * hidden, len(CLASSES))

    def forward(self, ids):
        return self.head(self.reader(self.embedding(ids))[0]).named("scores")


def tag(model, text, window=256, margin=64):
    """Return the class of every character; of each window the margins are only read, for what is around the rest."""
    ids, step = ASCII.encode(text), window - 2 * margin
    padded = np.pad(ids, (margin, margin + -len(ids) % step), constant_values=ASCII.ids["\n"])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window)[::step]
    with ts.no_grad():
        scores = [model(some.T).numpy() for some in np.array_split(pieces, len(pieces) // 64 + 1)]
    return np.concatenate(scores, 1).argmax(-1)[margin:-margin].T.ravel()[: len(ids)]


def runs(text, found, truth):
    """Yield (class, whether the tokenizer says otherwise, characters) for all that stands together."""
    keys = zip(found.tolist(), ((found != truth) & (truth > 0)).tolist())
    for (kind, wrong), part in groupby(zip(keys, text), key=itemgetter(0)):
        yield kind, wrong, "".join(character for _, character in part)


def main(args):
    learned = LEARNED[: args.modules]
    mine = text_of(args.file).expandtabs() if args.file else ""  # at once: an error comes before the training
    texts = {name: text_of(Path(tokenize.__file__).with_name(f"{name}.py")).expandtabs() for name in learned + JUDGES}
    classes = {name: labels(text) for name, text in texts.items()}
    ids, y = np.concatenate([[*zip(ASCII.encode(texts[name]), classes[name])] for name in learned]).T

    model = Tagger(args.hidden).to(args.device)

    def loss_of():
        at = args.rng.integers(0, len(ids) - args.window, 32) + np.arange(args.window)[:, None]
        return nn.cross_entropy(model(ids[at]), y[at])

    train(model, loss_of, args.updates, lr=0.008)
    counts = np.histogram2d(ids, y, (range(len(ASCII) + 1), range(len(CLASSES) + 1)))[0]
    common = counts.argmax(1)  # the class that each character has most often: the baseline
    right = {"the network": [], "each character by itself": []}
    for name in JUDGES:
        text, truth = texts[name][: args.judged], classes[name][: args.judged]
        right["the network"].extend(tag(model, text) == truth)
        right["each character by itself"].extend(common[ASCII.encode(text)] == truth)
    right = {kind: 100 * np.mean(hits) for kind, hits in right.items()}
    score(f"Share of the characters of {', '.join(JUDGES)} whose class is right:", right, " %")

    text = mine or texts["bisect"][: args.judged]
    found = tag(model, text)
    truth = found if args.file else classes["bisect"][: args.judged]
    for c, _, part in runs(text[-999:], found[-999:], truth[-999:]):
        print(f"\033[{TERMINAL[c]}m{part}\033[0m", end="")
    style = " ".join(f".c{c} {{ color: {colour} }}" for c, colour in enumerate(PAGE))
    marks = [f'<i class="c{c}{" wrong" * w}">{escape(part)}</i>' for c, w, part in runs(text, found, truth)]
    (args.out / "coloured.html").write_text(PAGE_TEXT.format(style=style, code="".join(marks)), encoding="utf-8")
    ts.draw(Tagger(4).to(args.device)(ASCII.encode("if x:")[:, None]), steps=(5, 0)).save(args.out / "unrolled.svg")
    return [args.out / "coloured.html", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "window": 16, "modules": 2, "judged": 500},
        file=("", "a file to colour in the end"), modules=(len(LEARNED), "modules to learn from"),
        judged=(10**6, "characters of each other module that judge"), hidden=(48, "size of each direction's state"),
        window=(128, "characters read at once"), updates=(400, "updates of the weights"))  # fmt: skip
