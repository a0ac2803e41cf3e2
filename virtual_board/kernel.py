"""For a kernel of the kit's .venv: cells of C work in a notebook that imports nothing of the
kit's."""

import importlib.util
import sys
from importlib.abc import MetaPathFinder

BRINGS_CELLS = "pynq.lib"


def prepare_for_cells_of_c():
    """Has pynq.lib prepared (iop/cells.py) as soon as it is imported, and not before: that takes as
    long as all the rest of a kernel's start."""
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != BRINGS_CELLS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_prepare(module):
            execute(module)
            if "iop.cells" in sys.modules:  # it imports pynq.lib, for a notebook of the kit's
                return
            from iop import cells

            cells.install()

        spec.loader.exec_module = execute_and_prepare
        return spec
