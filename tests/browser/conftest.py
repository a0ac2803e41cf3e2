"""A browser, and the JupyterLab it looks at."""

import os
import shutil
import signal

import pytest
from playwright.sync_api import sync_playwright
from server import ROOT, Server, soon, started_with, temporary_folder

FAILED = ROOT / ".browser" / "failed"  # screenshots of what went wrong
# of the browser's console: the complaint about the answer says which
KNOWN = "Failed to load resource"


def pytest_configure():
    # they end a run like Ctrl-C: with everything tidied up
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    shutil.rmtree(FAILED, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    page = item.funcargs.get("page")
    if report.when == "call" and report.failed and page:
        FAILED.mkdir(exist_ok=True)
        picture = FAILED / (item.name + ".png")
        page.screenshot(path=picture)
        report.sections.append(("screenshot", str(picture)))
    return report


@pytest.fixture(scope="session")
def folder():
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def browser(folder):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            handle_sigint=False,
            args=["--no-sandbox"] if os.getuid() == 0 else [],  # for root Chromium has none
            env=dict(os.environ, XDG_CACHE_HOME=str(folder), XDG_CONFIG_HOME=str(folder)),
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(folder):
    with Server(folder) as server:
        yield server


@pytest.fixture
def page(browser, server, folder):
    """A page of the browser. At its end its kernels end too, virtual boards and all, and it must
    have had no complaint."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.on(
        "response",
        lambda answer: answer.status >= 400 and complaints.append(f"{answer.status} {answer.url}"),
    )
    yield page
    page.close()
    server.end_kernels()
    assert soon(lambda: "qemu" not in "".join(started_with(folder).values())), (
        "a virtual board has outlived its notebook"
    )
    complaints = [text for text in complaints if KNOWN not in text]
    if complaints:
        pytest.fail("the browser's console says:\n" + "\n".join(complaints), pytrace=False)
