#!/bin/sh
# pack.sh [--no-answers]: writes the files that a board needs for an installation to standard output, as .tar.gz: those in
# edition.txt, and no others; with --no-answers without the solutions.
cd "$(dirname "$0")/.." || exit
if [ "${1:-}" = --no-answers ]; then
    grep -v '^notebooks/solutions/' deploy/edition.txt | tar -c -z -T -
    exit
fi
exec tar -c -z -T deploy/edition.txt
