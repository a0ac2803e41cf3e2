#!/bin/sh
# setup.sh [kit] [board] [browser] [deploy] [hub]: makes this PC ready for parts of the kit, by default the first.
#   kit      the virtual board, which is QEMU and, in .venv/, Python with the kit's packages
#   board    make test-board: a C compiler and FUSE's library; where they are missing, the tests say so and are skipped
#   browser  make test-browser: Chromium, and what drives it in .browser/
#   deploy   make classroom: an ssh client, and Ansible in .deploy/
#   hub      JupyterHub with its proxy in .hub/, and kit, whose packages it uses (deploy/hub/README.md)
# Prints what it installs, and nothing if everything is there. PYTHON=... chooses the Python (3.10 to 3.14).
set -eu
parts=" ${*:-kit} "
case $parts in *" hub "*) parts=" kit$parts" ;; esac
cd "$(dirname "$0")"

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

suits() {  # whether a command is a Python that the pinned packages work on
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python from 3.10 to 3.14: give the path of one."
        echo "$PYTHON"
        return
    fi
    # An existing .venv says which Python was chosen.
    if suits .venv/bin/python; then .venv/bin/python -c 'import sys; print(sys._base_executable)'; return; fi
    found=
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if suits "$candidate"; then
            found=${found:-$candidate}
            if has_venv "$candidate"; then echo "$candidate"; return; fi
        fi
    done
    [ -n "$found" ] || fail "the kit needs Python 3.10, 3.11, 3.12, 3.13 or 3.14, and none is here; get one, and say where it \
is if it is not on the PATH, as in PYTHON=/path/to/python3.13 make lab:
  Debian, Ubuntu  sudo apt-get install python3-venv; where the release's own is older or newer:
                  sudo apt-get install pipx && pipx run uv python install 3.13 && pipx run uv python find 3.13
  Fedora          sudo dnf install python3
  macOS           brew install python"
    echo "$found"
}

wanted() { case $parts in *" $1 "*) true ;; *) false ;; esac; }

qemu_missing() { wanted kit && ! { command -v qemu-system-microblazeel || command -v qemu-system-microblaze; } >/dev/null; }
browser_missing() {  # Chromium, and a library of the program that drives it
    wanted browser && ! { command -v chromium && find /usr/lib /usr/lib64 -maxdepth 2 -name libatomic.so.1 | grep .; } \
        >/dev/null 2>&1
}
compiler_missing() { wanted board && ! command -v cc >/dev/null; }
fuse_missing() { wanted board && ! find /lib /usr/lib /usr/lib64 -maxdepth 2 -name 'libfuse*.so.*' 2>/dev/null | grep -q .; }
ssh_missing() { wanted deploy && ! command -v ssh >/dev/null; }

# In a downloaded zip, or with git on Windows, a link may be a file that contains the link's target.
for link in iop bitstream mb_src; do
    if [ ! -d "notebooks/$link" ]; then
        { rm -f "notebooks/$link" && ln -s "../$link" "notebooks/$link"; } 2>/dev/null ||
            fail "notebooks/$link has to be a link to ../$link, and this file system has no links, or cannot be written to: \
get the kit with \`git clone\`, on Linux, into a folder of your own."
        echo "setup: made notebooks/$link the link that it should be"
    fi
done

missing_packages() {  # Debian's names for what is missing
    if qemu_missing; then echo qemu-system-misc; fi
    if browser_missing; then echo chromium libatomic1; fi
    if compiler_missing; then echo gcc libc6-dev; fi
    if fuse_missing; then echo fuse3; fi
    if ssh_missing; then echo openssh-client; fi
    if ! has_venv "$python"; then "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; fi
}

install_packages() {
    sudo=
    if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
    # sudo drops these variables, which are needed behind a proxy.
    set -- "http_proxy=${http_proxy:-}" "https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" \
        DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of packages
    $sudo env "$@" apt-get update -q &&
        $sudo env "$@" apt-get install -q -y --no-install-recommends $debian
}

python=$(find_python)
debian=$(missing_packages)
if [ -n "$debian" ]; then
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
        # One set-up at a time; another one may have installed everything meanwhile.
        if command -v flock >/dev/null; then exec 9<.; flock 9; debian=$(missing_packages); fi
        if [ -n "$debian" ]; then
            echo "setup: installing" $debian
            said=$(install_packages 2>&1 9<&-) || printf '%s\n' "$said" | tail -5 >&2
        fi
        exec 9<&-
    fi
    if browser_missing; then
        fail "the browser that reads the notebooks is missing; install it, then try again:
  Debian          sudo apt-get install chromium libatomic1
  Fedora          sudo dnf install chromium libatomic"
    fi
    if ssh_missing; then
        fail "boards are reached by ssh, which is missing; install it, then try again:
  Debian, Ubuntu  sudo apt-get install openssh-client
  Fedora          sudo dnf install openssh-clients"
    fi
    if qemu_missing || ! has_venv "$python"; then
        cat >&2 <<END
setup: the virtual board needs QEMU's MicroBlaze, and the kit Python's venv module. Install them, then try again:
  Debian, Ubuntu  sudo apt-get install $(echo $debian)
  Fedora          sudo dnf install qemu-system-microblaze
  Arch            sudo pacman -S qemu-system-microblaze
  macOS           brew install qemu
END
        exit 1
    fi
fi

# Python makes the environments.
# shellcheck disable=SC2086  # a list of parts
exec "$python" -I environment.py $parts
