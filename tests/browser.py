"""A real browser on a notebook, in JupyterLab and in Voila: what it shows, what it answers to clicks, and how soon.

The browser is the system's Chromium (or the one that SELFDANA_CHROMIUM names); Playwright only steers it. Nothing leaves this
machine: both servers listen on the loopback interface, on ports and with settings of their own.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
SIZE = {"width": 1366, "height": 768}  # a small laptop
PATIENCE_MS = 120_000  # this machine may have much other work to do
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"  # asks each newcomer about news, in front of the notebook
ELSEWHERE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")
ICONS = "cdn.jsdelivr.net/npm/@fortawesome"  # Voila's own template asks for them and does without


def chromium() -> str:
    """The browser's path. Without one the tests skip, but in CI they fail."""
    named = [os.environ.get("SELFDANA_CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
    if path := next(filter(None, named), None):
        return path
    if os.environ.get("CI") == "true":
        pytest.fail("CI must have Chromium; .ci/run installs it.")
    pytest.skip("no Chromium here; install it, or name one in SELFDANA_CHROMIUM, to run these tests")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Servers:
    """JupyterLab and Voila over one folder of notebooks."""

    folder: Path
    lab: str
    voila: str
    token: str

    def write(self, name: str, *cells: str) -> None:
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / f"{name}.ipynb")


@contextmanager
def serve(folder: Path) -> Iterator[Servers]:
    """Both servers, with an empty configuration; stopped at the end with their kernels."""
    token, lab, voila = secrets.token_hex(16), free_port(), free_port()
    surroundings = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    (folder / "config/labconfig").mkdir(parents=True)
    (folder / "config/labconfig/page_config.json").write_text(json.dumps({"disabledExtensions": {ANNOUNCEMENTS: True}}))
    commands = {
        f"http://127.0.0.1:{lab}/api": [
            "jupyterlab", "--no-browser", "--allow-root", f"--port={lab}", f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={notebooks}", "--expose-app-in-browser",
        ],
        f"http://127.0.0.1:{voila}/": [
            "voila", str(notebooks), "--no-browser", f"--port={voila}",
        ],
    }  # fmt: skip
    started = []
    try:
        for _url, (module, *arguments) in commands.items():
            command = [sys.executable, "-m", module, *arguments]
            with (folder / f"{module}.log").open("w") as log:
                started.append(subprocess.Popen(command, env=surroundings, stdout=log, stderr=log, cwd=notebooks))
        for url, process in zip(commands, started, strict=True):
            wait_until_it_answers(url, process, folder)
        yield Servers(notebooks, f"http://127.0.0.1:{lab}", f"http://127.0.0.1:{voila}", token)
    finally:
        for process in started:
            process.terminate()  # servers shut their kernels down
        for process in started:
            process.wait(2 * PATIENCE_MS / 1000)


def wait_until_it_answers(url: str, process: subprocess.Popen, folder: Path) -> None:
    """Until a server is up; its log is the error if it is not in time, or has ended."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    logs = [f"{log.name}:\n{log.read_text()[-2000:]}" for log in folder.glob("*.log")]
    raise RuntimeError("\n".join([f"No answer from {url}.", *logs]))


class Screen:
    """One notebook, run from top to bottom, as a person sees it."""

    def __init__(self, page, name: str) -> None:
        self.page, self.name = page, name
        self.noted: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self.noted.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.noted.append(f"page error: {error}"))
        page.route(ELSEWHERE, self._keep_here)

    def _keep_here(self, route) -> None:
        if ICONS not in route.request.url:
            self.noted.append(f"asked the network for {route.request.url}")
        route.fulfill(body="", content_type="text/css")

    def errors(self) -> list[str]:
        """What went wrong: on the console, in a cell, or shown by a widget beside its controls."""
        shown = self.page.locator("[role=alert]:visible, [data-mime-type*='stderr'], [data-mime-type*='jupyter.error']")
        return self.noted + [text for text in shown.all_inner_texts() if text.strip()]

    def screenshot(self, of: str = "") -> None:
        """Keep a picture under build/screenshots, for a person to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{self.name}{of and '-'}{of}.png")

    def settle(self) -> None:
        """Until each figure is drawn as its words say, so that what lies in it stays where it is."""
        self.page.wait_for_function("!document.querySelector('.live-figure [aria-busy=true]')")

    def latencies_ms(self, buttons: list, clicks: int = 30, drawn: str = "[data-drawn]") -> list[float]:
        """From each click, the buttons in turn, to the figure drawn anew: what `drawn` selects counts its drawings."""
        return [buttons[i % len(buttons)].evaluate(CLICK_AND_WAIT, drawn) for i in range(clicks)]


CLICK_AND_WAIT = """(button, drawn) => new Promise((resolve, reject) => {
  const start = performance.now();
  const observer = new MutationObserver(() => { observer.disconnect(); resolve(performance.now() - start); });
  observer.observe(document.querySelector(drawn), { attributes: true, attributeFilter: ["data-drawn"] });
  setTimeout(() => reject(new Error("nothing was drawn within 20 s of the click")), 20000);
  button.click();
})"""

RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  let panel;
  while (!(panel = app.shell.currentWidget)?.sessionContext) await new Promise((resolve) => setTimeout(resolve, 50));
  await panel.sessionContext.ready;
  await panel.context.ready;
  app.commands.execute("application:toggle-left-area");
  return await app.commands.execute("notebook:run-all-cells");
}"""


class Browser:
    """Chromium, and what it can open."""

    def __init__(self, chromium, servers: Servers) -> None:
        self.chromium, self.servers = chromium, servers

    def open_in_lab(self, name: str, wait: bool = True) -> Screen:
        """The notebook in JupyterLab, with all its cells run; or still running, until `window.ran`, if you do not wait."""
        screen = Screen(self.chromium.new_page(viewport=SIZE), f"{name}-lab")
        screen.page.goto(f"{self.servers.lab}/lab/workspaces/{name}/tree/{name}.ipynb?token={self.servers.token}")
        screen.page.wait_for_function("window.jupyterapp")
        screen.page.evaluate(f"() => {{ window.ran = ({RUN_ALL})(); }}")
        assert not wait or screen.page.evaluate("window.ran"), f"{name}: not every cell could be run: {screen.errors()}"
        return screen

    def open_in_voila(self, name: str) -> Screen:
        """The notebook as Voila shows it, without its code."""
        screen = Screen(self.chromium.new_page(viewport=SIZE), f"{name}-voila")
        screen.page.goto(f"{self.servers.voila}/voila/render/{name}.ipynb")
        return screen


@pytest.fixture(scope="session")
def servers(tmp_path_factory) -> Iterator[Servers]:
    """JupyterLab and Voila, started once for all tests that need them."""
    chromium()  # no server without a browser
    with serve(tmp_path_factory.mktemp("served")) as both:
        yield both


@pytest.fixture(scope="module")
def browser(servers) -> Iterator[Browser]:
    """Chromium for one module: Playwright keeps an event loop running, which tests of other modules could not bear."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as launched:
        yield Browser(launched, servers)
