#!/bin/sh
# pack.sh [--no-answers]: writes the files that a board needs for an installation to standard
# output, as .tar.gz: those in edition.txt, and no others; with --no-answers without the solutions.
unset CDPATH TAR_OPTIONS GZIP GREP_OPTIONS  # they change what cd, tar, gzip and grep do
cd "$(dirname "$0")/.." || exit
if [ "${1:-}" = --no-answers ]; then
    grep -v '^notebooks/solutions/' deploy/edition.txt | tar -c -z -f - -T -
    exit
fi
exec tar -c -z -f - -T deploy/edition.txt
