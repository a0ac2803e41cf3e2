"""Whether an answer is what its cell says now.

IPython tells which cells ran, and how each run ended, which may be the stop button. Where there is
no IPython, every answer counts, and so does one of which no run is known."""

import dis
import re
import sys

from IPython import get_ipython

IN_C = "%%writefile", "%%microblaze"  # how a cell of C begins
CHECK = re.compile(r"\bchecks?\.[\w.]+\([^()]*\)")
RUNS = []  # since the checks were imported, in order


class Run:
    """One run of a cell.

    Attributes:
        cell: what Jupyter calls the cell, if it says so, as JupyterLab does.
        source: the cell's text.
        error: what the run ended in, or None.
        ended: whether it has ended.
    """

    def __init__(self, info):
        self.cell, self.source = getattr(info, "cell_id", None), info.raw_cell
        self.error, self.ended = None, False
        self._last_error = getattr(sys, "last_value", None)

    def end(self, result):
        """Notes how it ended. A %%time shows an error and ends in none."""
        shown = getattr(sys, "last_value", None)
        self.error = result and (result.error_before_exec or result.error_in_exec)
        self.error = self.error or (shown if shown is not self._last_error else None)
        self.ended, self._last_error = True, None

    def mentions(self, name):
        """Whether the name is in the cell, apart from calls of checks."""
        source = CHECK.sub("", self.source)
        return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source) is not None

    def makes(self, name):
        """Whether the cell gives this name a value, or writes this file. A cell whose syntax is
        wrong does if it mentions the name."""
        if not self.mentions(name):
            return False
        if self.source.startswith(IN_C):
            return True
        python = re.sub(r"\A%%.*", "", self.source)  # such as %%time
        try:
            code = compile(get_ipython().transform_cell(python), "cell", "exec")
        except (SyntaxError, ValueError):
            return self.error is not None  # otherwise it is not Python
        steps = {(step.opname, step.argval) for step in dis.get_instructions(code)}
        return ("STORE_NAME", name) in steps or ("STORE_GLOBAL", name) in steps


def last_answer():
    """The text of the last cell that ran and has more in it than the call of a check; or ""."""
    texts = (run.source for run in reversed(RUNS))
    return next((text for text in texts if CHECK.sub("", text).strip()), "")


def doubt(name, by_use=False):
    """Why the answer of this name is not the one in its cell, as a sentence; None if it is.

    Args:
        by_use: the answer is not the value, but what was done with it.
    """
    made = last = None
    for run in RUNS:
        if run.makes(name):
            last = run
            made = made if run.error else run
        elif by_use and run.mentions(name):
            last = run
        elif made and run.cell is not None and run.cell == made.cell:
            last = run
    then = "run it, and then run this one again."
    if last and last.error:
        return f"the cell of {name} ended in an error ({_told(last.error)}). Correct it, {then}"
    if last and not by_use and not last.makes(name):
        return (
            f"the cell of {name} was changed, and does not define it any more. Correct it, {then}"
        )
    return None


def _told(error):
    line = f", in line {error.lineno}" if isinstance(error, SyntaxError) else ""
    text = getattr(error, "msg", None) if line else str(error)
    return f"{type(error).__name__}: {text}".rstrip(": ") + line


def _begins(info=None):
    if info is not None:  # which IPython before 6 does not tell
        RUNS.append(Run(info))


def _ends(result=None):
    if RUNS and not RUNS[-1].ended:  # an empty cell ends without a beginning
        RUNS[-1].end(result)


def _stopped(shell, kind, error, at, tb_offset=None):
    """The stop button ends in a sentence, and not in pages of pynq's code."""
    while at and at.tb_frame.f_globals is not shell.user_ns:
        at = at.tb_next
    where = f" in line {at.tb_lineno} of the cell" if at else ""
    print(f"Stopped{where}. What comes after that has not run.")


if get_ipython() is not None:
    get_ipython().set_custom_exc((KeyboardInterrupt,), _stopped)
    get_ipython().events.register("pre_run_cell", _begins)
    get_ipython().events.register("post_run_cell", _ends)
