#!/bin/sh
# Starts a student's server, as the student. The hub runs it, and gives the server's arguments.
# NO_ANSWERS=yes in the environment leaves the exercises' solutions out.
umask 077  # what a student makes is for the student alone
kit=$(unset CDPATH; cd "$(dirname "$0")/../.." && pwd)
exec "$kit/.venv/bin/python" -B "$kit/deploy/container/start.py" \
    "$kit/.hub/bin/jupyterhub-singleuser" "$@"
