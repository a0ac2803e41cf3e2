# shellcheck shell=bash disable=SC1091  # the board's
source /usr/local/share/pynq-venv/bin/activate
