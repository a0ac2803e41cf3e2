"""The board's card: a root folder laid out as the stock image v3.1 is, as a file system in a
file."""

import shutil
import struct
from pathlib import Path

from . import debian, python_packages
from .kernel import run

HERE = Path(__file__).resolve().parent
KIT = HERE.parent
SIZE = "2G"  # of the card: QEMU takes powers of 2; only what is used takes space
PACKAGES = """
    base-files base-passwd bash coreutils dash debianutils diffutils e2fsprogs findutils grep gzip
    hostname libc-bin libpam-modules libpam-runtime login make mawk mount ncurses-base
    openssh-server passwd procps sed sudo tar tzdata util-linux busybox-static
    python3 python3-cffi python3-coverage python3-ipykernel python3-ipywidgets python3-matplotlib
    python3-nbconvert python3-networkx python3-notebook python3-numpy python3-pandas python3-pip
    python3-psutil python3-pydantic python3-pytest python3-setuptools python3-widgetsnbextension
    jupyter-notebook
""".split()  # fmt: skip
# pure Python, which Debian does not have, or not in the version that fits
FROM_PYPI = [*python_packages.PYNQ, "nbval", "tqdm"]
VENV = "usr/local/share/pynq-venv"
SITE = VENV + "/lib/python3.11/site-packages"
BASE = SITE + "/pynq/overlays/base"
NOTEBOOKS = "home/xilinx/jupyter_notebooks"
NOT_NEEDED = """
    usr/share/doc usr/share/man usr/share/locale usr/share/info
    usr/lib/python3/dist-packages/debugpy
""".split()  # without the last, a kernel starts in two thirds of the time
# of user xilinx and of root, as on the stock image: "xilinx", by `openssl passwd -6 -salt board`
PASSWORD = (
    "$6$board$8wLG9JO3jk7b5LVzClwcYUHvkUFFIkZ5kvTLeXE6u"
    "DA9QwQ67z4OAzhg5bCLGafh4zDTlp7t04TrvWrP2U/eM0"
)
USERS = {
    "etc/passwd": "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    "xilinx:x:1000:1000::/home/xilinx:/bin/bash\n",
    "etc/group": "xilinx:x:1000:\n",
    "etc/shadow": f"root:{PASSWORD}:19000:0:99999:7:::\nxilinx:{PASSWORD}:19000:0:99999:7:::\n"
    "sshd:*:19000:0:99999:7:::\n",
}


def build(folder, work):
    """Makes card.img in a folder. Another one, work, is for what it takes in between.

    Returns:
        The root folder that the card was made of.
    Raises:
        BoardError: A step fails."""
    root = work / "root"
    debians = debian.root("board", PACKAGES)
    # Links, because nothing in it is changed: what is new takes another file's place.
    run("copying the packages", ["cp", "-al", debians, root], work)
    for name in NOT_NEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
    shutil.copytree(HERE / "root", root, copy_function=replace, dirs_exist_ok=True)
    furnish(root)
    debian.compile_python(root, root / SITE)
    debian.say("making the card")
    make = f"""
        chown -R 0:0 root && chown -R 1000:1000 root/home/xilinx && chmod 4755 root/usr/bin/sudo \\
            root/usr/bin/su && chmod 600 root/etc/shadow root/etc/ssh/ssh_host_* &&
        chmod 440 root/etc/sudoers && truncate -s {SIZE} "$1" &&
        mke2fs -q -t ext4 -L board -d root "$1" """
    run("making the file system", ["fakeroot", "sh", "-c", make, "sh", folder / "card.img"], work)
    return root


def replace(source, target):
    """Copies a file to where another one may be, which has other names."""
    Path(target).unlink(missing_ok=True)
    shutil.copy(source, target)


def furnish(root):
    """What the stock image has beside its packages, and what maintainers' scripts would make."""
    for name, lines in USERS.items():
        master = root / "usr/share/base-passwd" / (Path(name).name + ".master")
        there = master.read_text() if master.exists() else ""
        if name == "etc/group":
            there = there.replace("\nsudo:*:27:", "\nsudo:*:27:xilinx")
        (root / name).write_text(there.replace(":*:", ":x:") + lines)
    for name in "init", "reboot", "poweroff":
        link(root / "usr/sbin" / name, "/bin/busybox")
    for template, name in {
        "usr/share/openssh/sshd_config": "etc/ssh/sshd_config",
        "usr/share/base-files/profile": "etc/profile",
        "etc/skel/.bashrc": "home/xilinx/.bashrc",
        "etc/skel/.profile": "home/xilinx/.profile",
    }.items():
        shutil.copy(root / template, root / name)
    python = root / VENV / "bin"
    for name in "python", "python3":
        link(python / name, "/usr/bin/python3")
    python_packages.copy(FROM_PYPI, root / SITE)
    for name, place in {
        "pyxrt.py": SITE,
        "xrt_buffer.py": SITE,
        "xclbinutil": "usr/local/bin",
        "xbutil": "usr/local/bin",
    }.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / name, root / place)
    for name in "lib/firmware", NOTEBOOKS, BASE, "proc", "sys", "dev", "run", "tmp", "var/log":
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(KIT / "virtual_board/overlays/base/Pynq-Z1/base.hwh", root / BASE)
    (root / BASE / "base.bit").write_bytes(bitstream())
    (root / "boot/first").touch()
    # By this file the kit knows an image that has XRT. pyxrt.py does without it.
    (root / "usr/lib/libxrt_core.so").touch()
    keygen = "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "board", "-f"
    run("making a host key", [*keygen, root / "etc/ssh/ssh_host_ed25519_key"], root)


def link(path, target):
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def bitstream():
    """A .bit file that pynq and the FPGA manager take: Vivado's header, the word that begins
    configuration data (UG470), and no such data, because the fabric here is not configured by
    it."""
    header = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for letter, text in zip("abcd", ("base_wrapper", "7z020clg400", "2024/01/01", "00:00:00")):
        header += letter.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    data = b"\xff" * 32 + b"\xaa\x99\x55\x66" + bytes(92)
    return header + b"e" + struct.pack(">I", len(data)) + data
