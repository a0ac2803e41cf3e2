"""A real OpenSSH server on loopback, for each pretended board: an unprivileged process, whose only
user is called xilinx.

Debian's package is unpacked, not installed: an installed server would listen on every network of
whoever runs the tests."""

import os
import socket
import subprocess

from helpers.waiting import soon

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


class Servers:
    """Starts servers and ends them; all that they need is in `folder`, which belongs to whom they
    run as."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.user = SOMEBODY if os.geteuid() == 0 else os.geteuid()
        packages = folder / "root"
        download = ["apt-get", "download", *PACKAGES]
        subprocess.run(download, cwd=str(folder), check=True, capture_output=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(packages)], check=True)
        for name in "key", "host_key":
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(keygen, check=True)
        (folder / "home").mkdir()
        (folder / "group").write_text(f"xilinx:x:{self.user}:\n")
        (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
        for name in "home", "host_key", "host_key.pub", "key.pub":
            self.own(folder / name)
        library = next((packages / "usr/lib").glob("*/libnss_wrapper.so"))
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
            for at in [path, *path.rglob("*")]:
                os.chown(str(at), self.user, self.user, follow_symlinks=False)

    def start(self, settings="", shell="/bin/sh", within=()):
        """Starts a server and returns its port, once it answers.

        Args:
            settings: Lines for its sshd_config.
            shell: The user's login shell.
            within: A command, with its options, that starts the server's.
        """
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        config, passwd = (self.folder / f"{name}.{port}" for name in ("sshd_config", "passwd"))
        config.write_text(CONFIG.format(port=port, folder=self.folder) + settings)
        passwd.write_text(f"xilinx:x:{self.user}:{self.user}::{self.folder}/home:{shell}\n")
        command = [*within, str(self.sshd), "-D", "-e", "-f", str(config)]
        if os.geteuid() == 0:
            somebody = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
            command[len(within) : len(within)] = ["setpriv", *somebody]
        with open(str(self.folder / "sshd.log"), "ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=dict(self.environment, NSS_WRAPPER_PASSWD=str(passwd)),
            )
        self.processes.append(process)
        answered = soon(lambda: process.poll() is not None or answers(port))
        assert answered and process.poll() is None, (self.folder / "sshd.log").read_text()
        return port

    def stop(self):
        while self.processes:
            process = self.processes.pop()
            process.terminate()
            process.wait()


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
