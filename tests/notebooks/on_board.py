#!/usr/bin/env python3
"""on_board.py [IMAGE]: what `make test` does on a board, in the image's Python: executes the
installed notebooks, compares their outputs with those of this kit's, and runs the unit tests that
need no emulator. IMAGE is a folder that looks like a board's root.

It is also the pytest plugin that tells nbval which outputs a board may show differently. Needs
Python 3.6.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT_TESTS = ["iop/test_write_to_buffer.py"]
# A stock image has the compiler; an emulated ARM has none.
NEED_COMPILER = (
    "4_firmware.ipynb",
    "7_pins.ipynb",
    "8_c_in_a_cell.ipynb",
    "9_leds_and_buttons.ipynb",
)
# A stock image has its class; the stand-in has no LEDs and no interrupts of Linux's.
NEEDS_BASE = "9_leds_and_buttons.ipynb"
# Cells with these tags run, but their outputs are not compared.
DIFFERS = {
    "initial-buffer",  # CMA does not clear what it hands out
    # Linux counts free CMA memory for each processor by itself, and keeps freed pages in lists of
    # each, so the number in /proc/meminfo may be some 100 KB behind.
    "free-memory",
    "compiler-version",  # an image has an mb-gcc of its own
    "virtual-board",  # what would harm a board refuses to run on one
    "students-own",  # what a student has solved
}
# Outputs of these kinds are compared in no cell.
NOT_COMPARED = (
    "application/javascript",  # what the import of pynq.lib puts out from 2.7 on; it shows nothing
    "stderr",  # pynq 2.6 calls its own Xlnk deprecated
)


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "cell"):
            item.parent.skip_compare = tuple(item.parent.skip_compare) + NOT_COMPARED
            if DIFFERS.intersection(item.cell["metadata"].get("tags", [])):
                item.options["check"] = False


def main(image_root="/"):
    sys.path.insert(0, ROOT)
    from deploy import image, tree
    from deploy.install import NAME, settle, without_outputs
    from iop import firmware

    target = os.path.join(image.notebooks_folder(image_root), NAME)
    ours = tree.unchanged(target)
    python = image.python(image_root)
    if not ours:
        sys.exit(f"There is no tutorial in {target}, whose notebooks are tested: sudo make install")
    if os.geteuid() != 0 and image_root == "/":
        sys.exit("pynq needs root on a board: sudo make test")
    if not image.has(python, "nbval"):
        sys.exit(
            f"There is no nbval in {python}, which compares the notebooks' outputs: sudo make"
            " install gets it, over the network"
        )
    names = sorted(name for name in os.listdir(target) if name.endswith(".ipynb"))
    executed = {name: os.path.join(ROOT, "notebooks", name) for name in names if name in ours}
    for name in names:
        if name not in ours:
            print(f"skipped: {name}, which is not as it was installed")
            continue
        with open(os.path.join(target, name), "rb") as file:
            installed = file.read()
        if not os.path.exists(executed[name]) or installed != without_outputs(executed[name]):
            sys.exit(f"{target} is of another edition than {ROOT}: sudo make install")
    if firmware.compiler() is None:
        for name in NEED_COMPILER:
            if executed.pop(name, None):
                print(f"left out: {name}, because there is no mb-gcc on this image's PATH")
    if image.pynq_package(image_root, "overlays/base/base.py") is None:
        if executed.pop(NEEDS_BASE, None):
            print(f"left out: {NEEDS_BASE}, because this image has no pynq.overlays.base")
    sys.stdout.flush()
    # a copy: notebook 4 writes files, and students have theirs
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, NAME)
        shutil.copytree(target, copy, symlinks=True, ignore=shutil.ignore_patterns("my_firmware"))
        for name, path in executed.items():  # with outputs, which the installed ones do not have
            shutil.copyfile(path, os.path.join(copy, name))
        tests = os.path.join(ROOT, "tests")
        # The installed iop/ comes before the checkout's. on_board is this file.
        paths = os.pathsep.join([copy, ROOT, tests, os.path.join(tests, "notebooks")])
        environment = dict(os.environ, PYTHONPATH=paths, TUTORIAL=copy)
        # --sanitize-with: nbval 0.9.6, the last for Python 3.6, has this name for it; later ones
        # know it too
        words = [python, "-B", "-m", "pytest", "-c", os.devnull, "--rootdir", folder, "-v"]
        words += ["--confcutdir", ROOT, "-p", "no:cacheprovider", "-p", "on_board", "--nbval"]
        words += ["--nbval-cell-timeout=300"]
        if sys.version_info >= (3, 8):  # nbval 0.9.6 waits for 60 s, whatever the board does
            words += ["--nbval-kernel-startup-timeout=300"]
        words += ["--sanitize-with"]
        words += [os.path.join(tests, "notebooks", "sanitize.cfg")]
        words += [os.path.join(copy, name) for name in executed]
        words += [os.path.join(tests, name) for name in UNIT_TESTS]
        try:
            return subprocess.call(words, env=environment)
        finally:
            settle(folder, image_root)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
