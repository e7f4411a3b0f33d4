"""The page in a real browser: the forward and the backward played, step by step, back and forth."""

import re

from reader import Keys


def test_step_by_step_the_forward_and_then_the_backward(reader):
    forward, backward = reader.js("const d = JSON.parse(document.getElementById('data').text); "
                                  "return [d.forward, d.backward]")  # fmt: skip
    turn = len(forward)
    reader.type(Keys.ARROW_RIGHT)
    assert reader.caption.text == f"forward 1 of {turn}: matmul at t = 0 gives (2, 32)"
    assert reader.count(".node.is-lit") == reader.count(".node.is-now") == 3  # the op, and the leaves it reads
    reader.next.click()
    assert reader.caption.text.startswith(f"forward 2 of {turn}: ") and reader.count(".node.is-lit") == 6
    reader.type(Keys.ARROW_LEFT)
    assert reader.count(".node.is-lit") == 3
    reader.type(*[Keys.ARROW_RIGHT] * (turn - 1))
    assert reader.count(".node:not(.is-lit)") == 0 and reader.count(".edge:not(.is-lit)") == 0
    assert "loss" in reader.caption.text
    reader.type(Keys.ARROW_RIGHT)
    assert reader.caption.text.startswith(f"backward 1 of {len(backward)}: the gradient reaches sum loss")
    assert reader.count(".node.is-lit") == 1
    reader.type(Keys.END)
    assert reader.caption.text.startswith(f"backward {len(backward)} of {len(backward)}: ")
    assert reader.count(".node.is-lit") == sum(map(len, backward))
    reader.type(Keys.HOME)
    assert reader.count(".is-lit, .is-now, .is-going") == reader.count("[data-play$=ward]") == 0


def test_the_log_of_a_backward_is_played_with_its_norms(reader, files):
    reader.driver.get(files["log"])
    assert reader.key.text.startswith("|gradient| 1e-") and reader.second.text == "backward"
    reader.js("const t = document.getElementById('time'); t.value = t.max / 2; t.dispatchEvent(new Event('input'))")
    said = re.fullmatch(
        r"backward \d+ of \d+: the gradient reaches (.+) at t = (\d), (\|gradient\| \S+)", reader.caption.text
    )
    reader.js("document.querySelector('#stage .is-now').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    panel = reader.panel.text
    assert panel.startswith(f"×\n{said[1]}") and f"t = {said[2]}" in panel and said[3].replace(" ", "\n") in panel


def test_space_plays_and_pauses_and_the_play_ends(reader):
    def at():
        return int(reader.time.get_attribute("value"))

    def playing():
        return reader.play.get_attribute("aria-pressed") == "true"

    reader.type(" ")
    reader.until(lambda: at() >= 2)
    reader.type(" ")
    stopped = at()
    assert not playing() and reader.count(".is-now") > 0
    frames = int(reader.time.get_attribute("max"))
    reader.js("const t = document.getElementById('time'); t.value = arguments[0]; t.dispatchEvent(new Event('input'))",
              frames - 3)  # fmt: skip
    assert at() == frames - 3 != stopped
    reader.play.click()
    assert playing()
    reader.until(lambda: not playing())
    assert at() == frames


def test_going_back_arrows_turn_round(reader):
    heads = "return [...document.querySelectorAll('#stage .edge .head')].map((e) => e.getAttribute('d'))"
    tips = """
        return [...document.querySelectorAll("#stage .edge.is-lit")].map((edge) => {
            const box = document.getElementById(edge.dataset.source).querySelector("rect").getBBox();
            const [x, y] = edge.querySelector(".head").getAttribute("d").match(/-?[\\d.]+/g).map(Number);
            return Math.max(box.x - x, x - box.x - box.width, box.y - y, y - box.y - box.height) < 7;
        })
    """
    before = reader.js(heads)
    reader.type(Keys.END)
    at_source = reader.js(tips)
    assert len(at_source) > 50 and all(at_source) and reader.js(heads) != before
    reader.type(Keys.HOME)
    assert reader.js(heads) == before
