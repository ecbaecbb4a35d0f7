"""Somebody in front of a browser, for the tests of the pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from loops import PASSWORD, USERNAME

DESK, PHONE = (1280, 800), (390, 844)
WAIT_S = 10


class Person:
    """Opens, reads, types and clicks."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self._browser = browser
        self._url = url

    def open(self, path: str) -> None:
        """Open a page."""
        self.complaints()
        self._browser.get(f"{self._url}{path}")

    def log_in(self, password: str = PASSWORD) -> None:
        """Type username and password at the login."""
        self.open("/login")
        self.find("input[name=username]").send_keys(USERNAME)
        self.find("input[name=password]").send_keys(password)
        self.find("button[type=submit]").click()

    def find(self, selector: str) -> WebElement:
        """The first such element, once it is there."""
        found: list[WebElement] = self._wait(
            lambda: self._browser.find_elements(By.CSS_SELECTOR, selector), selector
        )
        return found[0]

    def click(self, words: str) -> None:
        """Click the link with this text."""
        self._browser.find_element(By.LINK_TEXT, words).click()

    def read(self, *words: str) -> str:
        """The page's text, once all these words are in it."""
        self._wait(lambda: all(part in self._text() for part in words), f"{words} to be read")
        return self._text()

    def is_at(self, path: str) -> None:
        """Wait until the browser shows this page."""
        self._wait(lambda: self._browser.current_url == f"{self._url}{path}", path)

    def look_on(self, screen: tuple[int, int]) -> None:
        """Look at the page on a screen of this size."""
        width, height = screen
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        mobile = {**metrics, "mobile": screen == PHONE}
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", mobile)

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        return self._browser.execute_script(f"return {script}")

    def see_images(self) -> None:
        """Wait until the images that are in sight are there."""
        self._wait(lambda: self.run(_ALL_IN_SIGHT), "all images to be loaded")

    def photograph(self, file: Path) -> None:
        """Keep what is to be seen."""
        assert self._browser.save_screenshot(str(file))

    def complaints(self) -> list[str]:
        """What the page complained of in the browser's console."""
        entries = self._browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def _text(self) -> str:
        return str(self.run("document.body?.innerText"))

    def _wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        return WebDriverWait(self._browser, WAIT_S).until(lambda _: condition(), what)


_ALL_IN_SIGHT = """[...document.images]
  .filter((image) => image.getBoundingClientRect().top < innerHeight)
  .every((image) => image.complete && image.naturalWidth > 0)
"""
