"""The page in a real browser: gaps unfold and cards fold, and what is left out is shown all the same."""

import os
import re

import pytest
from reader import By, Keys

broken = """
    const bad = [...document.querySelectorAll("#stage *")].flatMap((e) => [...e.attributes])
        .filter((a) => a.name !== "href" && /NaN|undefined|Infinity/.test(a.value));
    return bad.map((a) => a.name + a.value)
"""


def test_a_gap_unfolds_in_place_and_any_of_its_steps_is_shown(reader, files):
    reader.driver.get(files["thirty"])
    before = reader.ids()
    reader.click("#stage .node.middle")
    assert reader.shown.text == "t = 16 is shown" and reader.count(".cluster.step") == 5
    step = [id for id in reader.ids() if "/step-16#" in id]
    third = [id for id in before if "/step-2#" in id]
    assert len(step) == len(third) and len(set(reader.ids())) == len(reader.ids())
    said = reader.js("return [...document.querySelectorAll('#stage .middle')].map((e) => e.textContent)")
    assert any("13 steps, same ops" in text and "t = 3 … 15" in text for text in said)
    assert any("12 steps, same ops" in text and "t = 17 … 28" in text for text in said)
    reader.js("const w = document.getElementById('which'); w.value = 4; w.dispatchEvent(new Event('input'))")
    assert reader.shown.text == "t = 7 is shown" and not reader.js(broken)
    reader.type(Keys.ESCAPE)
    reader.click("#stage .node[id$='step-7#10']")
    assert "t = 7" in reader.panel.text and "gradient" in reader.panel.text and " = " in reader.panel.text
    gradients = set()
    for step in (2, 7):
        reader.js("""
            const split = [...document.querySelectorAll(`#stage .node[id*='step-${arguments[0]}#']`)]
                .find((node) => node.querySelector('text').textContent === 'split into');
            split.dispatchEvent(new MouseEvent('click', {bubbles: true}));
        """, step)
        gradients.add(re.search(r"\|gradient\|\n(.+)", reader.panel.text)[1])
    assert len(gradients) == 2
    reader.type(Keys.END)
    assert reader.count(".node.is-lit[id*='step-7#']") > 10
    inner = reader.count(".edge[data-source*='step-2#'][data-target*='step-2#']")
    reader.type(Keys.ESCAPE)
    reader.click("#stage .cluster.step[id$='step-2'] rect")  # the step that this one is a copy of
    assert reader.count(".node[id*='step-2#']") == 0 and reader.count(".node[id*='step-7#']") == len(third)
    reader.click("#stage .cluster.step[id$='step-2'] rect")
    assert reader.count(".edge[data-source*='step-2#'][data-target*='step-2#']") == inner
    reader.click("#stage .node[id$='step-7#10']")
    reader.driver.find_element(By.ID, "close-gap").click()
    assert sorted(reader.ids()) == sorted(before)


def test_what_leaves_a_gap_says_of_which_step_it_is_when_one_is_shown(reader, files):
    reader.driver.get(files["thirty"])
    leaves = "return [...document.querySelectorAll('#stage .passing > text')].map((e) => e.textContent)"
    drawn = reader.js(leaves)
    reader.click("#stage .node.middle")
    for step, last in ((7, 6), (3, 2), (28, 27)):
        reader.js("const w = document.getElementById('which'); w.value = arguments[0] - 3;"
                  "w.dispatchEvent(new Event('input'))", step)  # fmt: skip
        assert {"c, t = 28", f"c, t = {last}", "h, t = 28", f"h, t = {last}"} <= set(reader.js(leaves))
    picked = "document.querySelector('#stage .node[id*=\"step-3...\"][id$=\"~\"].passing')"
    reader.js(f"{picked}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    assert reader.panel.text.startswith("×\nh, t = 27\n") and "(2, 8) float32" in reader.panel.text
    assert not reader.js("return [...document.querySelectorAll('#stage .edge.state')].some((e) => e.id)")
    reader.driver.find_element(By.ID, "close-gap").click()
    assert reader.js(leaves) == drawn
    reader.driver.get(files["both"])
    reader.type("0")
    reader.click("#stage .node.middle")
    step = int(re.search(r"t = (\d+) is shown", reader.shown.text)[1])
    said = set(reader.js(leaves))
    assert {f"h, t = {step - 1}", f"h, t = {step + 1}"} <= said  # to the right, and where time runs back, to the left


def test_bars_over_time_reach_as_far_as_the_steps_do(reader, files):
    reader.driver.get(files["words"])
    reader.type("0")
    ends = """
        const bar = [...document.querySelectorAll('#stage .node')].filter((node) => /^(un)?stack$/
            .test(node.querySelector('text')?.textContent) && node.getBoundingClientRect().width > 150);
        const cards = [...document.querySelectorAll('#stage .step')].map((card) => card.getBoundingClientRect());
        return [bar.map((node) => node.querySelector('rect').getBoundingClientRect()), cards]
            .map((boxes) => [Math.min(...boxes.map((box) => box.left)), Math.max(...boxes.map((box) => box.right))])
    """
    for change in (None, "#stage .node.middle", "#stage .cluster.step rect"):
        if change:
            reader.click(change)
            reader.type("0")
        (left, right), (first, last) = reader.js(ends)
        assert first - 5 < left < first + 0.2 * (last - first) and last - 0.2 * (last - first) < right < last + 5


def test_a_card_folds_with_those_above_and_below_it_and_the_state_goes_on(reader, files):
    reader.driver.get(files["both"])
    reader.type("0")
    before, lines, width = reader.ids(), reader.count(".edge"), reader.width()
    reader.click("#stage .cluster.step[id$='forward/step-1'] rect")
    left = reader.ids()
    assert not [id for id in left if "/step-1#" in id] and len(left) < len(before) and reader.count(".folded") == 4
    assert reader.count(".edge.state[data-source*='step-0#'][data-target*='step-1#']") > 0
    reader.type(Keys.END)
    reader.click("#stage .cluster.step[id$='forward/step-1'] rect")
    reader.type(Keys.HOME, "0")
    assert sorted(reader.ids()) == sorted(before) and reader.count(".edge") == lines
    assert reader.width() == pytest.approx(width, rel=1e-3)


@pytest.mark.parametrize("name", ["both", "shared", "odd"])
def test_whatever_is_folded_and_unfolded_the_page_holds_together(reader, files, name):
    reader.driver.get(files[name])
    reader.type("0")
    before = sorted(reader.ids())
    gaps = reader.ids("middle")[:2]
    for gap in gaps:
        reader.click(f"#stage .node[id='{gap}']")
        reader.type(Keys.ESCAPE)
    cards = reader.ids("step")
    for card in [card for card in cards if card.endswith(("0/direction-forward/step-1", "0/direction-forward/step-2"))]:
        reader.click(f"#stage .cluster[id='{card}'] rect")
        found = reader.ids()
        assert len(set(found)) == len(found) and not reader.js(broken)
    reader.type(Keys.END, Keys.HOME)
    for card in reader.ids("folded"):
        if reader.count(f".folded[id='{card}']"):
            reader.click(f"#stage .cluster[id='{card}'] rect")
    for gap in gaps:
        reader.click(f"#stage .node[id='{gap}']")
        if reader.driver.find_element(By.ID, "close-gap").is_displayed():
            reader.driver.find_element(By.ID, "close-gap").click()
        reader.type(Keys.ESCAPE)
    assert sorted(reader.ids()) == before


@pytest.mark.parametrize("name", ["thirty", "shared"])
def test_a_weight_shows_all_its_uses_with_their_shares(reader, files, name):
    reader.driver.get(files[name])
    reader.type("0")
    reader.click("#stage .node.weight")
    drawn = 1 if name == "shared" else 4
    assert reader.count(".is-use") == reader.count(".badge") == drawn
    bars = reader.js("return [...document.querySelectorAll('.shares title')].map((e) => e.textContent)")
    assert len(bars) == 30 and bars[0].startswith("t = 0: ") and bars[-1].startswith("t = 29: ")
    shares = [float(bar.split(": ")[1].removesuffix(" %").replace("−", "-")) for bar in bars]
    assert sum(shares) == pytest.approx(100, abs=2)
    if name == "thirty":
        reader.js("document.querySelectorAll('.shares g')[20].dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        assert reader.shown.text == "t = 20 is shown" and reader.count(".is-use") == 5
    reader.type(Keys.ESCAPE)
    assert reader.count(".is-use, .badge") == 0


def test_states_and_gates_are_shown_over_time(reader, files):
    reader.driver.get(files["thirty"])
    names = reader.js("return [...document.querySelectorAll('#strips text')].map((e) => e.textContent)")
    assert names[:-1] == ["c", "h", "input", "forget", "cell", "output"]
    bounds = reader.js("return JSON.parse(document.getElementById('data').textContent).range")  # of the nodes' colours
    low, high = re.search(r"\|gradient\|, from (.+), blue, to (.+), red", names[-1]).groups()
    assert [float(low.replace("−", "-")), float(high)] == pytest.approx(bounds)
    assert reader.count("#strips image") == 6 * 5 * 2  # values and gradients, in four cards and a gap
    reader.js("""
        const strip = document.querySelector("#strips [data-gap]"), { left, width } = strip.getBoundingClientRect();
        strip.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: left + (10.5 / 26) * width }));
    """)
    assert reader.count(".node[id*='step-13#']") > 10 and reader.count("#strips image") == 6 * 7 * 2


def test_300_steps_stay_usable(reader, files):
    """5,400 nodes, of which only those that are near are there. The bound tells linear from quadratic, no more."""
    reader.driver.get(files["long"])
    near = reader.count("g.node")
    assert 20 < near < 500 < 5000 < reader.js("return JSON.parse(document.getElementById('data').text).items.length")
    reader.type(Keys.END)
    assert reader.count(".is-now") == 1 and reader.count("g.node") < 500
    reader.type("/", "forget")
    reader.shift(Keys.ENTER)
    assert reader.found() == "300 of 300" and "t = 299" in reader.panel.text and reader.count(".is-picked") == 1
    js = """
        const done = arguments[arguments.length - 1], took = [];
        const frame = () => new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
        const run = async () => {
            for (let i = 0; i < 20; i++) {
                const start = performance.now();
                document.getElementById("back").click();
                await frame();
                took.push(performance.now() - start);
            }
            done([performance.getEntriesByType("navigation")[0].domComplete, took.sort((a, b) => a - b)[10]]);
        };
        run();
    """
    reader.driver.set_script_timeout(60)
    loaded, step = reader.driver.execute_async_script(js)
    slow = 5 if os.environ.get("CI") else 1
    assert loaded < 6000 * slow and step < 150 * slow, (loaded, step)
    reader.js("dispatchEvent(new Event('beforeprint'))")
    assert reader.count("g.node") > 5000
