"""The page in a real browser: what happens when a reader clicks, points, types, searches, zooms and drags."""

import pytest
from drawn_pages import hostile
from reader import ActionChains, By, Keys


def test_a_click_tells_what_a_node_is_and_lights_its_edges(reader):
    assert not reader.panel.is_displayed()
    reader.node("forget").click()
    said = reader.panel.text
    for part in ("sigmoid forget", "(2, 8) float32", "t = 0", "g · y · (1 − y)", "mean", "split"):
        assert part in said
    source = reader.panel.find_element(By.TAG_NAME, "pre").get_property("textContent")
    assert "lambda g, y, _x: g * (y - y * y)" in source
    assert reader.count(".is-picked") == 1 and reader.count(".is-input") == 1 and reader.count(".is-user") == 1
    assert len(reader.panel.find_elements(By.CSS_SELECTOR, ".heat i")) == 32  # of values, and of the gradient
    reader.panel.find_element(By.XPATH, ".//button[text()='split']").click()
    assert reader.panel.find_element(By.TAG_NAME, "h2").text == "split" and reader.count(".is-user") == 4
    reader.type(Keys.ESCAPE)
    assert not reader.panel.is_displayed() and reader.count(".is-picked, .is-input, .is-user") == 0


def test_the_panel_has_the_gradient_of_a_weight_and_of_each_of_two_biases(reader):
    reader.node("weight_hh_l0").click()
    assert "|.grad|" in reader.panel.text and "(32, 8) float32" in reader.panel.text
    assert "64 of 256 values" in reader.panel.text
    reader.node("bias_ih_l0").click()
    assert reader.panel.text.count("|.grad|") == 2 and "bias_hh_l0" in reader.panel.text


def test_a_pointer_on_a_node_shows_a_card(reader):
    ActionChains(reader.driver).move_to_element(reader.node("forget")).perform()
    ActionChains(reader.driver).move_by_offset(2, 0).perform()  # the first may have scrolled
    reader.until(lambda: reader.hover.is_displayed())
    assert reader.hover.text.startswith("sigmoid forget\n(2, 8) float32") and "|gradient|" in reader.hover.text
    reader.type(Keys.ARROW_RIGHT)


def test_search_counts_and_enter_goes_round(reader):
    reader.type("/", "forget")
    assert reader.found() == "3 found" and reader.count(".is-match") == 3
    counts = []
    for _ in range(4):
        reader.type(Keys.ENTER)
        counts.append(reader.found())
    assert counts == ["1 of 3", "2 of 3", "3 of 3", "1 of 3"] and "t = 0" in reader.panel.text
    reader.shift(Keys.ENTER)
    assert "t = 2" in reader.panel.text
    reader.query.clear()
    reader.query.send_keys("(32, 8)")
    assert reader.found() == "3 found"
    reader.shift(Keys.ENTER)
    assert reader.found() == "3 of 3"
    reader.query.send_keys("no such")
    assert reader.found() == "none found" and reader.count(".is-match") == 0


def test_zoom_by_button_key_and_wheel_and_back_to_fit(reader):
    reader.type("0")
    fitted = reader.width()
    reader.driver.find_element(By.ID, "in").click()
    assert reader.width() == pytest.approx(1.25 * fitted, rel=1e-3)
    reader.type("-", "-")
    assert reader.width() == pytest.approx(fitted / 1.25, rel=1e-3)
    reader.type("0")
    assert reader.width() == pytest.approx(fitted, rel=1e-3)
    target = reader.node("split")
    before = target.rect
    reader.js(
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -120, clientX: arguments[1], "
        "clientY: arguments[2], bubbles: true, cancelable: true}))",
        target, before["x"] + before["width"] / 2, before["y"] + before["height"] / 2,
    )  # fmt: skip
    assert reader.width() > 1.1 * fitted


def test_two_fingers_zoom(reader):
    before = reader.width()
    reader.js("""
        const stage = document.getElementById("stage");
        const touch = (id, x) => new Touch({ identifier: id, target: stage, clientX: x, clientY: 300 });
        for (const [kind, x] of [["touchstart", 500], ["touchmove", 600]]) {
            const touches = [touch(0, 400), touch(1, x)];
            stage.dispatchEvent(new TouchEvent(kind, { touches, bubbles: true, cancelable: true }));
        }
    """)
    assert reader.width() == pytest.approx(2 * before, rel=1e-2)


def test_dragging_moves_the_picture_and_is_no_click(reader):
    reader.type("+", "+", "+", "+", "+", "+")
    before = reader.js("return document.getElementById('stage').scrollLeft")
    ActionChains(reader.driver).click_and_hold(reader.stage).move_by_offset(-120, -40).release().perform()
    assert reader.js("return document.getElementById('stage').scrollLeft") == before + 120
    assert not reader.panel.is_displayed()
    reader.shift(Keys.ARROW_LEFT)
    assert reader.js("return document.getElementById('stage').scrollLeft") == before + 40


def test_the_keyboard_alone_is_enough(reader):
    reader.type("?")
    assert reader.help.is_displayed() and "forward, then backward" in reader.help.text
    reader.type(Keys.ESCAPE)
    assert not reader.help.is_displayed()
    reader.js("document.getElementById('time').focus()")
    reader.type(Keys.TAB, Keys.ARROW_RIGHT, Keys.ENTER)
    assert reader.panel.is_displayed() and reader.count(".is-picked") == reader.count("[tabindex='0']") == 1
    reader.type(Keys.ESCAPE)
    assert reader.js("return document.activeElement.classList.contains('node')")
    reader.type(Keys.TAB)  # one stop for all of the graph
    assert not reader.js("return document.activeElement.closest('#stage')")


def test_the_address_leads_back_to_node_frame_and_step(reader, files):
    reader.driver.get(files["thirty"])
    reader.type("/", "t = 12", Keys.ENTER)
    assert reader.found().startswith("1 of ") and "t = 12" in reader.panel.text
    reader.js("document.activeElement.blur()")
    reader.type(*[Keys.ARROW_RIGHT] * 3)
    address, panel, caption = reader.driver.current_url, reader.panel.text, reader.caption.text
    reader.driver.get("about:blank")
    reader.driver.get(address)
    assert reader.panel.text == panel and reader.caption.text == caption and reader.count("[id*='step-12#']") > 10
    reader.js("location.hash = 'frame=2'")
    reader.until(lambda: reader.caption.text.startswith("forward 2 of ") and not reader.panel.is_displayed())


def test_names_that_want_to_be_markup_are_shown_as_text(reader, files):
    reader.driver.get(files["odd"])
    reader.node("script").click()
    value = reader.panel.find_element(By.XPATH, ".//dt[text()='name']/following-sibling::dd")
    assert value.get_property("textContent") == hostile
    assert not reader.driver.find_elements(By.TAG_NAME, "b")
    reader.type(Keys.END)
    assert (
        reader.caption.text == "value 1 of 1: " + reader.panel.find_element(By.TAG_NAME, "h2").text + ", value 1.5e−6"
    )
    assert "value\n1.5e−6" in reader.panel.text
    assert reader.js("return document.documentElement.scrollWidth <= innerWidth")
