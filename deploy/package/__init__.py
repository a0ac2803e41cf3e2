"""The kit as a Python package, for `pynq get-notebooks`. It holds the kit's folders as a checkout
does."""

import os
import sys


def deliver_notebooks(
    device_name, src_path, dst_path, name, folder=False, overlays_res_lookup=True
):
    """pynq's hook. Like `make install`, it leaves files that a student changed as they are.

    Args:
        device_name: pynq's name of the device
        src_path: not used
        dst_path: where to; with `folder`, into a folder `name` there
        overlays_res_lookup: False for `--ignore-overlays`: then no .bit is made from the image's
            base overlay

    Raises:
        OverlayError, tree.InstallError: nothing has changed
    """
    import pynq

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # the folder of deploy/, iop/
    from deploy import install

    target = os.path.join(dst_path, name) if folder else dst_path
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    bit = os.path.join(os.path.dirname(pynq.__file__), "overlays", "base", "base.bit")
    install.lay_out(target, bit=bit if overlays_res_lookup else None)
    install.settle(target)
