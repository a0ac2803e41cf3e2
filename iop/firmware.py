"""Builds a C program for the IOP the way the kit's own is built, by mb_src/Makefile, from a cell of a notebook."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import tempfile

MB_SRC = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mb_src")
NO_COMPILER = ("There is no mb-gcc here: type `make compiler` in the kit's folder, which builds it once, in about four "
               "minutes, and says how far it is.")
# Lines that make and GCC's driver add to the message itself
BESIDE_THE_POINT = ("make: ", "cc1: all warnings", "collect2: ")


class BuildError(Exception):
    """Why there is no program: what the compiler or the linker said."""

    def _render_traceback_(self):
        """What IPython prints, in place of a page of frames that are none of the student's."""
        return str(self).splitlines()


def compiler():
    """The folder of mb-gcc: the one on the PATH, as on a board, or else the pinned one; None if there is neither."""
    found = shutil.which("mb-gcc") or str(runpy.run_path(os.path.join(MB_SRC, "compiler.py"))["PREFIX"] / "bin" / "mb-gcc")
    return os.path.dirname(found) if os.path.exists(found) else None


def build(source, program=None):
    """Compiles a C program and returns the path of the result, for Pynq_Tutorial(mb_info, program).

    source:  the .c file; it can include mailbox.h
    program: what to write; if not given, source with .bin in place of .c
    BuildError: there is no compiler, or what it said of the C; then nothing is written.
    """
    source = os.path.abspath(source)
    program = program or os.path.splitext(source)[0] + ".bin"
    tools = compiler()
    if tools is None:
        raise BuildError(NO_COMPILER)
    if not os.path.isfile(source):
        raise BuildError("{} is not there: run the cell that writes it.".format(source))
    # A make around this one, as in `make test`, is none of its business. LC_ALL: plain quotation marks in messages.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with tempfile.TemporaryDirectory() as folder:
        environment.update(PATH=tools + os.pathsep + os.environ["PATH"], LC_ALL="C", TMPDIR=folder)
        out = os.path.join(folder, "program")
        make = subprocess.run(["make", "--silent", "--no-print-directory", "-C", MB_SRC, "program",
                               "SOURCE=" + _quoted(source), "OUT=" + _quoted(out)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, env=environment)
        if make.returncode:
            said = re.sub(r"(?m)^/?(\S*/)*ld: ", "ld: ", make.stdout.replace(os.path.dirname(source) + os.sep, ""))
            said = said.replace(folder + os.sep, "")
            raise BuildError("\n".join(line for line in said.splitlines() if not line.startswith(BESIDE_THE_POINT)))
        shutil.copyfile(out + ".bin", program)
    return program


def _quoted(path):
    """A path for make, which hands it to a shell."""
    return shlex.quote(path).replace("$", "$$")
