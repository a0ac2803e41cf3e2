#!/bin/sh
# Starts a student's server, as the student. The hub runs it, and gives the server's arguments.
# First it lays out the notebooks, as on a board: what the student has changed stays, and a new edition of that comes beside it.
# NO_ANSWERS=yes in the environment leaves the exercises' solutions out.
set -eu
umask 077  # what a student makes is for the student alone
kit=$(cd "$(dirname "$0")/../.." && pwd)
work=$HOME/pynq_tutorial
[ -d "$work" ] || mkdir -m 700 "$work" || true
cd "$kit"
# Whether this works or not (the disk may be full), the server starts: without it nobody could make room.
"$kit/.venv/bin/python" -B -m deploy.install --into "$work" ${NO_ANSWERS:+--no-answers} || true
cd "$HOME"
# Matplotlib builds its list of fonts once, and would say so in a notebook.
[ -d .cache/matplotlib ] || "$kit/.venv/bin/python" -c "import matplotlib.font_manager" 2>/dev/null || true
exec "$kit/.hub/bin/jupyterhub-singleuser" "$@"
