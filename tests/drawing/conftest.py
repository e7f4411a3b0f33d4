"""A browser and pages to read in it: headless Chromium through Selenium, offline, or what is missing is said."""

from pathlib import Path
from shutil import which

import numpy as np
import pytest
from drawn_pages import hostile

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw


@pytest.fixture(scope="session")
def chrome():
    from reader import webdriver  # which is not everywhere

    chromium, chromedriver = which("chromium") or which("google-chrome"), which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("needs apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--no-sandbox", "--headless=new", "--disable-dev-shm-usage", "--window-size=1280,800"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Pages by name: an LSTM after its backward, its log, 300 steps drawn in full, names that want to be markup."""
    folder = Path(tmp_path_factory.mktemp("pages"))
    ts.manual_seed(0)
    layer = ts.nn.LSTM(3, 8)
    short, long = (layer(ts.tensor(np.ones((steps, 2, 3), "float32")))[0].sum().named("loss") for steps in (3, 300))
    short.backward(retain_graph=True)
    x = ts.tensor([1.0], requires_grad=True).named(hostile)
    with ts.scope(module=hostile):
        odd = (x * x).named(hostile)
    deep = ts.nn.GRU(3, 4, num_layers=2, bidirectional=True)
    both = (deep(ts.tensor(np.ones((9, 2, 3), "float32")))[0] ** 2).sum()
    thirty = (layer(ts.tensor(np.ones((30, 2, 3), "float32")))[0] ** 2).sum().named("loss")
    embed, head = ts.nn.Embedding(9, 3), ts.nn.Linear(8, 9)
    logits = head(layer(embed([[1]] * 30))[0])[-3:].tanh().exp().log().sigmoid() * 2.0 + 1.0
    words = ts.nn.cross_entropy(logits, [[1]] * 3).named("loss")
    for loss in (both, thirty):
        loss.backward(retain_graph=True)
    drawings = {
        "lstm": draw(short),
        "thirty": draw(thirty, show="gradient"),
        "words": draw(words),
        "both": draw(both),
        "shared": draw(thirty, params="shared"),
        "log": draw(short, show=ts.flow.record(short)),
        "long": draw(long, steps=(150, 150)),
        "odd": draw(odd, show={odd: 1.5e-6}),
    }
    drawings["diff"] = ts.diff(drawings["lstm"], drawings["thirty"])
    for name, drawing in drawings.items():
        drawing.save(folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in drawings}


@pytest.fixture
def reader(chrome, files):
    """Somebody with the LSTM's page open, who finds nothing in the console at the end."""
    from reader import Reader

    yield Reader(chrome, files["lstm"])
    assert chrome.get_log("browser") == []
