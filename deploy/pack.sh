#!/bin/sh
# pack.sh: writes to standard output, as .tar.gz, what a board needs for an installation.
cd "$(dirname "$0")/.." || exit
exec tar -c -z --exclude=__pycache__ --exclude=.ipynb_checkpoints --exclude=mb_src/build --exclude='notebooks/my_firmware*' \
    notebooks iop mb_src bitstream deploy
