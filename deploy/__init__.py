"""Brings the tutorial to boards: to one, to a classroom of them, or by `pynq get-notebooks`."""

EDITION = "1.1.0"


def deliver_notebooks(
    device_name, src_path, dst_path, name, folder=False, overlays_res_lookup=True
):
    """pynq's hook for `pynq get-notebooks`. Like `make install`, it leaves files that a student
    changed as they are.

    device_name: pynq's name of the device; dst_path: where to; name: the folder there, if `folder`
    is set overlays_res_lookup: False for `--ignore-overlays`: then no .bit is made from the image's
    base overlay Raises OverlayError or tree.InstallError; then nothing has changed."""
    import os

    import pynq

    from . import install, tree

    target = os.path.join(dst_path, name) if folder else dst_path
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    bit = os.path.join(os.path.dirname(pynq.__file__), "overlays", "base", "base.bit")
    install.tell(
        target, tree.install(target, install.files(bit if overlays_res_lookup else None), EDITION)
    )
    install.settle(target)
