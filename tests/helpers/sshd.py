"""A real OpenSSH server on loopback, for each pretended board: an unprivileged process, whose only
user is called xilinx.

Debian's package is unpacked, not installed: an installed server would listen on every network of
whoever runs the tests."""

import os
import socket
import subprocess
import time

PACKAGES = ["openssh-server", "libwrap0", "libnsl2", "libtirpc3", "libnss-wrapper", "tcsh"]
SOMEBODY = 1000  # the numeric user that servers run as if the tests are run by root
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""
CLIENT = """
Host *
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
    LogLevel ERROR
    IdentitiesOnly yes
    BatchMode yes
    IdentityFile {folder}/key
"""


def unpack(folder):
    """Unpacks the server's packages; returns the folder they are in."""
    subprocess.run(
        ["apt-get", "download"] + PACKAGES,
        cwd=str(folder),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder / "root")], check=True)
    return folder / "root"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Servers:
    """Starts servers and ends them; all that they need is in `folder`, which belongs to whom they
    run as."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.user = SOMEBODY if os.geteuid() == 0 else os.geteuid()
        packages = unpack(folder)
        library = next((packages / "usr/lib").glob("*/libnss_wrapper.so"))
        for name in ("key", "host_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
            )
        (folder / "home").mkdir()
        self.own(folder / "home")
        (folder / "group").write_text(f"xilinx:x:{self.user}:\n")
        (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
        self.sshd = packages / "usr/sbin/sshd"
        self.environment = {
            "LD_LIBRARY_PATH": str(library.parent),
            "LD_PRELOAD": str(library),
            "PATH": os.environ["PATH"],
            "NSS_WRAPPER_GROUP": str(folder / "group"),
        }

    def own(self, path):
        """Gives a folder and what is in it to the boards' user."""
        if os.geteuid() == 0:
            for at in [path] + list(path.rglob("*")):
                os.chown(str(at), self.user, self.user, follow_symlinks=False)

    def start(self, settings="", shell="/bin/sh", within=()):
        """Starts a server and returns its port, once it answers.

        Args:
            settings: Lines for its sshd_config.
            shell: The user's login shell.
            within: A command, with its options, that starts the server's.
        """
        port = free_port()
        config = self.folder / f"sshd_config.{port}"
        config.write_text(CONFIG.format(port=port, folder=self.folder) + settings)
        passwd = self.folder / f"passwd.{port}"
        passwd.write_text(f"xilinx:x:{self.user}:{self.user}::{self.folder}/home:{shell}\n")
        os.chmod(str(self.folder / "host_key"), 0o600)
        for name in ("host_key", "host_key.pub", "key.pub", config.name):
            self.own(self.folder / name)
        command = [str(self.sshd), "-D", "-e", "-f", str(config)]
        if os.geteuid() == 0:
            command[:0] = [
                "setpriv",
                f"--reuid={self.user}",
                f"--regid={self.user}",
                "--clear-groups",
            ]
        with open(str(self.folder / "sshd.log"), "ab") as log:
            process = subprocess.Popen(
                [*within, *command],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=dict(self.environment, NSS_WRAPPER_PASSWD=str(passwd)),
            )
        self.processes.append(process)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return port
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (
                    self.folder / "sshd.log"
                ).read_text()
                time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
