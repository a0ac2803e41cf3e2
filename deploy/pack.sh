#!/bin/sh
# pack.sh [--no-answers]: writes to standard output, as .tar.gz, what a board needs for an installation: the files of the edition,
# as edition.txt lists them, without the solutions if so told. Whatever else lies beside them stays here.
cd "$(dirname "$0")/.." || exit
if [ "${1:-}" = --no-answers ]; then
    grep -v '^notebooks/solutions/' deploy/edition.txt | tar -c -z -T -
    exit
fi
exec tar -c -z -T deploy/edition.txt
