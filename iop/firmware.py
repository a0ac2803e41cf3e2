"""Builds a C program for the IOP from a cell of a notebook, with mb_src/Makefile, as the kit's own
program is built."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

MB_SRC = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mb_src")
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
    """Adds the MicroBlaze's C++ compiler, size and nm to the PATH, where pynq looks for them. A
    compiler that is there already, as on a board, comes first. RuntimeError if there is none."""
    if shutil.which("mb-g++") is None:
        folder = _pinned()
        if folder is None:
            raise RuntimeError(
                NO_COMPILER
                if shutil.which("mb-gcc") is None
                else (
                    "The mb-gcc in {} has no mb-g++ beside it, with which pynq compiles a cell:"
                    " type `make compiler` in the kit's folder, which builds one.".format(
                        os.path.dirname(shutil.which("mb-gcc"))
                    )
                )
            )
        os.environ["PATH"] = os.pathsep.join(
            [os.environ.get("PATH", os.defpath), str(folder / "bin"), str(folder / "unprefixed")]
        )


def build(source, program=None):
    """Compiles a C program and returns the path of the result, for Pynq_Tutorial(mb_info, program).

    source:  the .c file; it can include mailbox.h program: what to write; if not given, source with
    .bin in place of .c Raises BuildError if there is no compiler, or with the compiler's messages;
    then nothing is written."""
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
    # Without the variables of an outer make, such as `make test`. LC_ALL: plain quotation marks in
    # messages.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with tempfile.TemporaryDirectory() as folder:
        environment.update(
            PATH=tools + os.pathsep + os.environ.get("PATH", os.defpath), LC_ALL="C", TMPDIR=folder
        )
        out = os.path.join(folder, "program")
        failed, said = _run(
            [
                "make",
                "--silent",
                "--no-print-directory",
                "-C",
                MB_SRC,
                "program",
                "SOURCE=" + _quoted(source),
                "OUT=" + _quoted(out),
            ],
            environment,
        )
        if failed:
            said = re.sub(
                r"(?m)^/?(\S*/)*ld: ", "ld: ", said.replace(os.path.dirname(source) + os.sep, "")
            )
            said = said.replace(folder + os.sep, "").strip()
            message = "\n".join(
                line for line in said.splitlines() if not line.startswith(BESIDE_THE_POINT)
            )
            raise BuildError(
                message
                or "The compiler in {} failed and did not say why ({}): has it enough memory, and room on the disk?".format(
                    tools, said.splitlines()[-1] if said else f"status {failed}"
                )
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


def _run(command, environment):
    """Runs a command to its end, at most LONGEST seconds; returns its status and all that it
    printed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # it can be ended with all that it starts
        env=environment,
        start_new_session=True,
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
    return process.returncode, said.decode("utf-8", errors="replace")


def _quoted(path):
    """A path for make, which hands it to a shell."""
    return shlex.quote(path).replace("$", "$$")
