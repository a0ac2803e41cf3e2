"""For tests and notebooks alike: what needs a compiler for the MicroBlaze is skipped where there is none, and what a student
wrote with notebook 4 stays as it is."""

import shutil
from pathlib import Path

import pytest

from iop import firmware

NEED_A_COMPILER = "4_firmware.ipynb", "test_checks_firmware.py"
MY_FIRMWARE = Path(__file__).resolve().parent / "notebooks" / "my_firmware"
ASIDE = MY_FIRMWARE.with_name("my_firmware.aside")


def pytest_collection_modifyitems(items):
    if firmware.compiler() is None:
        for item in items:
            if item.path.name in NEED_A_COMPILER:
                item.add_marker(pytest.mark.skip(reason=firmware.NO_COMPILER))


def pytest_sessionstart(session):
    """Puts aside what is in my_firmware, where notebook 4 is about to write. A run that was killed may have left it there."""
    if not hasattr(session.config, "workerinput") and MY_FIRMWARE.exists() and not ASIDE.exists():
        MY_FIRMWARE.rename(ASIDE)


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(str(MY_FIRMWARE), ignore_errors=True)
        if ASIDE.exists():
            ASIDE.rename(MY_FIRMWARE)
