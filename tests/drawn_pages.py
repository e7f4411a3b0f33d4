"""Pages as text, without a browser: what is written, and the data inside."""

import json
import re

import numpy as np

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.page.details import details
from tinygrad_seq.drawing.page.page import page
from tinygrad_seq.drawing.render.svg import svg

hostile = "</script><b>&\"'\\\n<!-- ]]> \u2028 :: " + "x" * 10_000


def lstm(steps, device="cpu", **options):
    ts.manual_seed(0)
    x = ts.tensor(np.random.default_rng(0).standard_normal((steps, 2, 3)).astype("float32"), device=device)
    return (ts.nn.LSTM(3, 8, **options).to(device)(x)[0] * 1.0).sum().named("loss")


def told(loss, **options):
    """The view of a loss, and what there is to say about it."""
    view = draw(loss, **options).view
    return view, details(view, [loss.node], [loss])


def written(loss, **options):
    view, about = told(loss, **options)
    layout = laid_out(view)
    return page(layout, svg(layout), about)


def within(text):
    """The data inside a page."""
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])
