"""A person in front of a page, in a browser that Selenium drives: without it, tests that import this are skipped."""

import time
from contextlib import contextmanager

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason='needs selenium: pip install "tinygrad-seq[browser]"')
Keys, ActionChains = webdriver.Keys, webdriver.ActionChains
By = pytest.importorskip("selenium.webdriver.common.by").By


class Reader:
    """Opens a page, types, and looks at what is there; elements by their id."""

    def __init__(self, driver, uri):
        self.driver = driver
        driver.get_log("browser")
        driver.get(uri)

    def __getattr__(self, name):
        return self.driver.find_element(By.ID, name)

    def js(self, text, *given):
        return self.driver.execute_script(text, *given)

    def type(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector):
        js = "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        self.js(js, selector)

    def ids(self, kind="node"):
        return self.js("return [...document.querySelectorAll('#stage g.' + arguments[0])].map((e) => e.id)", kind)

    def count(self, selector):
        return len(self.driver.find_elements(By.CSS_SELECTOR, f"#stage {selector}"))

    def shift(self, key):
        ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()

    def found(self):
        return self.driver.find_element(By.ID, "count").text

    def node(self, label):
        """The first node that says this."""
        nodes = self.driver.find_elements(By.CSS_SELECTOR, "#stage g.node")
        return next(node for node in nodes if label in node.find_element(By.TAG_NAME, "text").text)

    def width(self):
        return self.js("return document.querySelector('#stage > svg').getBoundingClientRect().width")

    @contextmanager
    def seen(self, command, **given):
        """A page as it is on other screens, or on paper."""
        try:
            self.driver.execute_cdp_cmd(f"Emulation.set{command}", given)
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def until(self, holds):
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.02)
