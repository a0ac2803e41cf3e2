"""For tests and notebooks alike: what needs a compiler for the MicroBlaze is skipped where there is none."""

import pytest

from iop import firmware

NEED_A_COMPILER = "4_firmware.ipynb", "test_checks_firmware.py"


def pytest_collection_modifyitems(items):
    if firmware.compiler() is None:
        for item in items:
            if item.path.name in NEED_A_COMPILER:
                item.add_marker(pytest.mark.skip(reason=firmware.NO_COMPILER))
