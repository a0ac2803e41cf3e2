#!/bin/sh
# machine.sh COMMAND...: runs it in the kit's folder as root of a machine like this one, of which
# nothing is left when it ends, however that is. Its files are this machine's, and what is written,
# as users and their homes, goes into memory. Its processes are its own and end with it; so does
# what is mounted. The network is this machine's.
#
# Without root, or in a container that may not mount, it says that it cannot, and that is no
# failure.
set -eu
kit=$(cd "$(dirname "$0")/../.." && pwd)
alone="unshare --mount --pid --fork --kill-child --propagation private"

if [ "$1" != --inside ]; then
    if ! $alone mount -t tmpfs try /mnt 2>/dev/null; then
        echo "SKIPPED: make test-hub makes users, and for that needs root and the right to mount."
        exit 0
    fi
    compiler=${XDG_CACHE_HOME:-$HOME/.cache}/pynq-tutorial
    exec $alone sh "$0" --inside "$compiler" "$@"
fi

compiler=$2
shift 2
mount -t tmpfs -o size=8g,mode=755 machine /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work "$root"
mount --rbind /dev "$root/dev"
mount -t tmpfs shm "$root/dev/shm"
mount -t proc proc "$root/proc"
for folder in dev/shm tmp var/tmp; do chmod 1777 "$root/$folder"; done
mkdir -p "$root$kit"
mount --bind "$kit" "$root$kit"
# As after XDG_CACHE_HOME=/var/cache make compiler, which docs/instructors.md has for a hub
mkdir -p "$root/var/cache/pynq-tutorial"
if [ -d "$compiler" ]; then mount --bind "$compiler" "$root/var/cache/pynq-tutorial"; fi
# Students get to the kit and its Python, wherever these lie.
for folder in "$kit" "$(readlink -f "$kit/.venv/bin/python")"; do
    while folder=$(dirname "$folder") && [ "$folder" != / ]; do chmod o+x "$root$folder"; done
done
# shellcheck disable=SC2016  # for the shell in there
chroot "$root" sh -c 'cd "$0" && exec "$@"' "$kit" "$@"
