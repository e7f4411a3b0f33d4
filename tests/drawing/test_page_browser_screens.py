"""The page in a real browser: on small screens and large ones, in the dark, on paper, in a notebook, saved."""

from html import escape
from pathlib import Path
from urllib.parse import urlparse

import pytest
from reader import By


def test_dark_follows_the_reader_and_the_button_overrules(reader):
    def ground():
        return reader.js("return getComputedStyle(document.body).backgroundColor")

    def paper():
        return reader.js("return getComputedStyle(document.querySelector('#stage .cluster.step rect')).fill")

    light, white = ground(), paper()
    reader.driver.find_element(By.ID, "theme").click()
    dark = ground()
    assert light != dark and paper() != white
    with reader.seen("EmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]):
        reader.driver.refresh()
        assert ground() == dark
        reader.type("d")
        assert ground() == light


def test_print_is_the_whole_picture_alone(reader):
    reader.node("forget").click()
    with reader.seen("EmulatedMedia", media="print"):
        for part in ("panel", "player", "tools", "find"):
            assert not reader.driver.find_element(By.ID, part).is_displayed()
        assert reader.width() <= reader.js("return document.body.clientWidth")


def test_at_phone_width_all_is_within_reach(reader):
    with reader.seen("DeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True):
        reader.driver.refresh()
        assert reader.js("return document.documentElement.scrollWidth") == 390
        reader.node("forget").click()
        for part in ("in", "query", "play", "time", "caption", "panel"):
            box = reader.driver.find_element(By.ID, part).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844, part
        panel, node = reader.panel.rect, reader.driver.find_element(By.CSS_SELECTOR, ".is-picked").rect
        assert panel["y"] >= node["y"] + node["height"]  # a sheet below, which does not hide what it tells of


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_what_is_opened_can_be_read_and_the_panel_hides_nothing(reader, files, width, height):
    with reader.seen("DeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700):
        reader.driver.get(files["thirty"])
        smallest = reader.js("""
            const svg = document.querySelector("#stage > svg");
            const zoom = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return Math.min(...[...svg.querySelectorAll("text, tspan")].filter((e) => e.hasAttribute("font-size"))
                .map((e) => Number(e.getAttribute("font-size")) * zoom))
        """)
        assert smallest > 10.99
        assert reader.js("return document.querySelector('#stage > svg').getAttribute('role')") == "group"
        reader.click("#stage .node.gate")
        reader.js("document.getElementById('stage').scrollTo(1e6, 0)")
        reader.until(lambda: reader.count(".cluster[id$='step-29']"))
        last = reader.driver.find_element(By.CSS_SELECTOR, "#stage .cluster[id$='step-29'] rect").rect
        panel, stage = reader.panel.rect, reader.stage.rect
        assert stage["x"] + stage["width"] <= panel["x"] or stage["y"] + stage["height"] <= panel["y"] + 1
        assert last["x"] + last["width"] <= stage["x"] + stage["width"]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("name", ["thirty", "words"])
def test_what_is_larger_than_its_window_opens_at_its_first_step(reader, files, name, width, height):
    with reader.seen("DeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700):
        reader.driver.get(files[name])
        card = reader.driver.find_element(By.CSS_SELECTOR, "#stage .cluster[id$='step-0'] rect").rect
        stage = reader.stage.rect
        assert stage["x"] <= card["x"] < stage["x"] + stage["width"] / 3
        assert stage["y"] <= card["y"] < stage["y"] + stage["height"] * 2 / 3
        title = reader.js("return document.querySelector('#stage .title').textContent")
        assert reader.driver.find_element(By.TAG_NAME, "h1").text.startswith(title)


def test_a_result_out_of_sight_is_pointed_to(reader, files):
    with reader.seen("DeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True):
        reader.driver.get(files["thirty"])
        pointer = reader.driver.find_element(By.ID, "result")
        for x, y, arrow in ((0, 0, "→"), (0, 1e6, "↗"), (1e6, 1e6, "↖"), (1e6, 0, "←")):
            reader.js("document.getElementById('stage').scrollTo(arguments[0], arguments[1])", x, y)
            reader.until(lambda arrow=arrow: pointer.text == f"{arrow} loss")
        pointer.click()
        reader.until(lambda: not pointer.is_displayed())
        loss, stage = reader.node("loss").rect, reader.stage.rect
        assert stage["x"] <= loss["x"] < stage["x"] + stage["width"]


def test_a_page_in_a_page_works_too(reader, files, tmp_path):
    """As in a notebook, where nothing may change the address."""
    text = Path(urlparse(files["thirty"]).path).read_text()
    (tmp_path / "notebook.html").write_text(f'<iframe width="900" height="600" srcdoc="{escape(text)}"></iframe>')
    reader.driver.get((tmp_path / "notebook.html").as_uri())
    reader.driver.switch_to.frame(0)
    reader.click("#stage .node.middle")
    assert reader.shown.text == "t = 16 is shown" and reader.count(".is-picked") == 1
    reader.driver.find_element(By.ID, "next").click()
    assert reader.caption.text.startswith("forward 1 of ")
    reader.driver.switch_to.default_content()


def test_the_picture_is_saved_as_svg_and_png(reader, files):
    reader.driver.get(files["thirty"])
    js = """
        const done = arguments[arguments.length - 1], found = [];
        const blobs = new Map(), make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { const url = make(blob); blobs.set(url, blob); return url; };
        HTMLAnchorElement.prototype.click = function () { found.push([this.download, blobs.get(this.href)]); };
        document.getElementById("svg").click();
        document.getElementById("png").click();
        const wait = setInterval(async () => {
            if (found.length < 2) return;
            clearInterval(wait);
            const text = await found[0][1].text(), svg = new DOMParser().parseFromString(text, "image/svg+xml");
            done([found.map(([name]) => name), svg.documentElement.tagName, svg.querySelectorAll("g.node").length,
                found[1][1].type, found[1][1].size]);
        }, 30);
    """
    reader.driver.set_script_timeout(30)
    names, root, nodes, kind, size = reader.driver.execute_async_script(js)
    assert names == ["LSTM_30_steps_unrolled.svg", "LSTM_30_steps_unrolled.png"] and root == "svg"
    assert nodes == reader.js("return JSON.parse(document.getElementById('data').text).items.length")
    assert kind == "image/png" and size > 20_000


def test_two_drawings_are_side_by_side(reader, files):
    reader.driver.get(files["diff"])
    lines = reader.driver.find_elements(By.CSS_SELECTOR, "header button")
    assert lines and len(reader.driver.find_elements(By.CSS_SELECTOR, ".side > svg")) == 2
    assert reader.driver.find_elements(By.CSS_SELECTOR, ".side .come")
    lines[0].click()
    assert reader.driver.find_elements(By.CSS_SELECTOR, ".told")
