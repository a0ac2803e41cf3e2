#!/bin/sh
# pack.sh: writes to standard output, as .tar.gz, what a board needs for an installation: the files of the edition, as
# edition.txt lists them, and whatever else lies beside them stays here.
cd "$(dirname "$0")/.." || exit
exec tar -c -z -T deploy/edition.txt
