"""Programs for the IOP: builds one from the C of a notebook's cell, with mb_src/Makefile, as the
kit's own is built, and reads their files."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MB_SRC = os.path.join(os.path.dirname(HERE), "mb_src")
PROGRAM = os.path.join(HERE, "pynq_tutorial.bin")  # the kit's own
# A program's own header, as mb_src/crt0.S writes it: where it is in the file, and how it begins.
HEADER = 4
MAGIC = b"PYNQ"
NO_COMPILER = (
    "There is no mb-gcc here: type `make compiler` in the kit's folder, which builds it once, in"
    " about six minutes, and shows its progress."
)
LONGEST = 60  # seconds that a build may take
# Lines that make and GCC's driver add to the message itself
BESIDE_THE_POINT = ("make: ", "cc1: all warnings", "collect2: ")


class BuildError(Exception):
    """No program was built; the text is what the compiler or the linker said."""

    def _render_traceback_(self):
        """What IPython prints, instead of a page of frames from the kit's own code."""
        return str(self).splitlines()


def compiler():
    """The folder of the mb-gcc on the PATH, as on a board, or of the pinned one; None if there is
    neither."""
    found = shutil.which("mb-gcc")
    if found:
        return os.path.dirname(found)
    folder = _pinned()
    return str(folder / "bin") if folder else None


def _pinned():
    """The folder of the pinned compiler, or None if it was not built."""
    from mb_src.compiler import built  # here, so that Pynq_Tutorial does without mb_src

    return built()


def put_on_path():
    """Adds the MicroBlaze's C++ compiler, size and nm to the PATH, where pynq looks, unless
    a compiler is there already, as on a board. RuntimeError if there is none."""
    if shutil.which("mb-g++") is not None:
        return
    folder = _pinned()
    if folder is None:
        found = shutil.which("mb-gcc")
        raise RuntimeError(
            f"The mb-gcc in {os.path.dirname(found)} has no mb-g++ beside it, with which pynq"
            " compiles a cell: type `make compiler` in the kit's folder, which builds one."
            if found
            else NO_COMPILER
        )
    path = os.environ.get("PATH", os.defpath), str(folder / "bin"), str(folder / "unprefixed")
    os.environ["PATH"] = os.pathsep.join(path)


def build(source, program=None):
    """Compiles a C program, for Pynq_Tutorial(mb_info, program). If a cell that begins with
    %%writefile wrote the source, messages have the line numbers of the cell.

    Args:
        source: The .c file; it can include mailbox.h.
        program: What to write; if not given, source with .bin in place of .c.

    Returns:
        The program's path.

    Raises:
        BuildError: With the compiler's messages, or because there is none. Nothing is written.
    """
    source = os.path.abspath(source)
    program = program or os.path.splitext(source)[0] + ".bin"
    tools = compiler()
    if tools is None:
        raise BuildError(NO_COMPILER)
    if shutil.which("make") is None:
        raise BuildError(
            "There is no make here, which calls the compiler: install it, as in sudo apt-get"
            " install make."
        )
    if not os.path.isfile(source):
        raise BuildError(f"{source} is not there: run the cell that writes it.")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "program")
        failed, said = _make(
            tools,
            folder,
            "SOURCE=" + _quoted(_as_in_its_cell(source, folder)),
            "OUT=" + _quoted(out),
            "BESIDE=" + _quoted(os.path.dirname(source)),
        )
        if failed:
            raise BuildError(
                _essence(said, os.path.dirname(source), folder)
                or f"The compiler in {tools} failed and did not say why"
                f" ({said.splitlines()[-1] if said else f'status {failed}'}): has it enough memory,"
                " and room on the disk?"
            )
        try:
            shutil.copyfile(out + ".bin", program + ".part")
            os.replace(program + ".part", program)
        except OSError as error:
            raise BuildError(
                f"{program} cannot be written ({error.strerror}): give another path for the"
                " program, in a folder of your own."
            ) from None
    return program


def read_program(path):
    """The contents of a program file. RuntimeError if it is missing, or not as long as its header
    says."""
    remedy = "build it with iop.firmware.build()"
    if path == PROGRAM:
        remedy = "get it again with `git checkout iop` or `make install`"
    try:
        with open(path, "rb") as file:
            program = file.read()
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read ({error.strerror}): {remedy}.") from None
    size = int.from_bytes(program[HEADER + 4 : HEADER + 8], "little")
    if program[HEADER : HEADER + 4] != MAGIC or len(program) != size:
        raise RuntimeError(
            f"{path} has {len(program)} bytes and is not a whole IOP program: {remedy}."
        )
    return program


def _as_in_its_cell(source, folder):
    """The path of a copy with an empty line in place of %%writefile, if a cell wrote the file."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    with open(source, "rb") as file:
        program = file.read()
    text = program.decode("utf-8", errors="replace").rstrip()
    for cell in shell.history_manager.input_hist_raw if shell else ():
        first, _, rest = cell.partition("\n")
        if first.startswith("%%writefile ") and rest.rstrip() == text:
            copy = os.path.join(folder, os.path.basename(source))
            with open(copy, "wb") as file:
                file.write(b"\n" + program)
            return copy
    return source


def _make(tools, folder, *variables):
    """Runs make with these tools, at most LONGEST seconds; returns its status, and what it
    printed."""
    # Without the variables of an outer make, such as `make test`. LC_ALL: plain quotation marks.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment.update(LC_ALL="C", TMPDIR=folder)
    environment["PATH"] = tools + os.pathsep + os.environ.get("PATH", os.defpath)
    process = subprocess.Popen(
        ["make", "--silent", "--no-print-directory", "-C", MB_SRC, "program", *variables],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # it can be ended with all that it starts
    )
    try:
        said = process.communicate(timeout=LONGEST)[0]
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"The compiler had not ended after {LONGEST} s, and was stopped: does the program"
            " include a file that has no end?"
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, said.decode("utf-8", errors="replace").strip()


def _essence(said, *folders):
    """What the compiler said, without folders and what surrounds it."""
    for folder in folders:
        said = said.replace(folder + os.sep, "")
    said = re.sub(r"(?m)^/?(\S*/)*ld: ", "ld: ", said)
    lines = [line for line in said.splitlines() if not line.startswith(BESIDE_THE_POINT)]
    return "\n".join(lines).strip()


def _quoted(path):
    """A path for make, which hands it to a shell."""
    return shlex.quote(path).replace("$", "$$")
