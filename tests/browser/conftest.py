"""A browser, and the Jupyters it looks at: the kit's own JupyterLab, and the two front ends of the
stock images."""

import os
import shutil
import signal

import pytest
from playwright.sync_api import sync_playwright
from server import FRONT_ENDS, ROOT, Server, soon, started_with, temporary_folder

FAILED = ROOT / ".browser" / "failed"  # screenshots of what went wrong
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]_*.ipynb"))
WITH_WIDGET = "3_mailbox"

# What the browser's console may say, and why it is no fault of a notebook.
CONSOLE = [
    "Failed to load resource",  # the complaint about the answer says which
    # how the old front ends' MathJax finds out which fonts there are
    "Access to font at 'about:blank'",
]


def pytest_configure():
    # they end a run like Ctrl-C: with everything tidied up
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    shutil.rmtree(FAILED, ignore_errors=True)


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", FRONT_ENDS, indirect=True, scope="session")
        metafunc.parametrize("notebook", NOTEBOOKS)


def pytest_collection_modifyitems(items):
    """The kit's own JupyterLab steps through all notebooks. The images' front ends step through the
    one that has a widget, the only thing whose code is the front end's; the notebook of old, whose
    Markdown is its own too, opens all."""

    def chosen(item):
        if "server" not in item.fixturenames:
            return True
        server, notebook = item.callspec.params["server"], item.callspec.params["notebook"]
        if item.function.__name__ == "test_stepped_through":
            return server == "lab4" or notebook == WITH_WIDGET
        return server == "notebook6"

    items[:] = filter(chosen, items)


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
def server(request, folder):
    with Server(request.param, folder) as server:
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
    complaints = [text for text in complaints if not any(known in text for known in CONSOLE)]
    if complaints:
        pytest.fail("the browser's console says:\n" + "\n".join(complaints), pytrace=False)
