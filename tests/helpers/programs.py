"""Programs in place of the machine's."""

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
