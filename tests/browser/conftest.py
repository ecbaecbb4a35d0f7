"""A headless Chromium, and a served loop that has something to show."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from edgeloop.loop import LoopSettings
from loops import PASSWORD, ServedLoop, loop_served
from seeded import seed, workshop

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,800",
)


@pytest.fixture(scope="module")
def workshop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the workshop's loop."""
    folder = tmp_path_factory.mktemp("workshop")
    seed(folder, workshop)
    return folder


@pytest.fixture(scope="module")
def loop(workshop_folder: Path) -> Iterator[ServedLoop]:
    """The workshop's loop."""
    settings = LoopSettings(data_folder=workshop_folder, admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser of one's own; its console is kept."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()
