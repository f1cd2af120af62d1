"""HQ's real process and a real headless Chromium, for tests and for screenshots."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from free_ports import free_port
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "var" / "screenshots"
DESK, PHONE = (1366, 768), (390, 844)
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

CHARTS_JS = """
const found = [...document.querySelectorAll('.nicegui-echart')].map((el) => {
  const chart = getElement(parseInt(el.id.slice(1)))?.chart, canvas = el.querySelector('canvas');
  if (!chart || !chart.getOption() || !canvas?.width || !canvas.height) return null;
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  let painted = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3] > 0) { painted++; colours.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]); }
  }
  const series = Object.fromEntries(chart.getOption().series.map((s) => [s.name, (s.data || []).length]));
  return {painted, colours: [...colours], series};
});
return found.includes(null) ? null : found;
"""
"""Of each chart on the page: how many pixels are painted, in which colours, and how many data each series has; null while one is
in the making."""
FITS_JS = "return document.documentElement.scrollWidth <= window.innerWidth"
"""Nothing stands beside the page. A chart follows a new size of the window a moment later."""


class HqProcess:
    """`python -m hq run` on free ports, in a folder of its own."""

    def __init__(self, folder: Path, central_url: str, token: str, **settings: object) -> None:
        self.port, self.status_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        (folder / "token").write_text(token)
        values = {
            "central_url": central_url, "token_file": str(folder / "token"), "port": self.port,
            "status_port": self.status_port, "refresh_s": 0.5,
        } | settings  # fmt: skip
        (folder / "hq.toml").write_text(
            "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
        )
        self._log = (folder / "hq.log").open("wb")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "hq", "run", "--config", str(folder / "hq.toml")]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stderr=self._log, stdout=self._log
        )
        wait_for(lambda: self.status() is not None and self.get("/") is not None, "HQ to answer")

    def get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def status(self) -> dict[str, object] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/status", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def rss_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def log(self) -> str:
        return (self.folder / "hq.log").read_text()

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(60)
        self._log.close()
        return code


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(30)
    try:
        yield driver
    finally:
        driver.quit()


def set_size(driver: webdriver.Chrome, size: tuple[int, int]) -> None:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def keep_screenshot(driver: webdriver.Chrome, name: str) -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    time.sleep(0.4)  # dialogs fade in
    assert driver.get_screenshot_as_file(str(path))
    return path


PATIENCE_S, LOOK_S = 120.0, 0.05
"""How long a page may take on a machine that is busy with other tests; speed is measured elsewhere."""


def wait_for(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE_S, told: Callable[[], str] = str
) -> object:
    """What the condition gave, by looks: nobody who stops this test and its processes for a while makes it fail.

    told: what the message of a failure adds.
    """
    for _ in range(int(seconds / LOOK_S)):
        value = condition()
        if value:
            return value
        time.sleep(LOOK_S)
    raise AssertionError(f"waited {seconds} s for {what}\n{told()}")
