"""Programs in place of the machine's."""

import os
import shutil


def programs(folder, *links, **scripts):
    """Makes a folder for PATH; returns its path.

    Args:
        folder: where it is made, or added to
        links: names of programs of this machine that are in it
        scripts: {name: lines for sh} of programs that are in it
    """
    folder.mkdir(exist_ok=True)
    for name in links:
        (folder / name).symlink_to(shutil.which(name))
    for name, lines in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def path_without(program):
    """This process's PATH, without the folders that have a program."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not os.path.exists(os.path.join(f, program)))
