#!/bin/sh
# setup.sh [kit] [browser] [deploy]: makes this PC ready for parts of the kit, by default the first.
#   kit      the virtual board, which is QEMU and, in .venv/, Python with the kit's packages
#   browser  make test-browser: Chromium, and what drives it in .browser/
#   deploy   make classroom: an ssh client, and Ansible in .deploy/
# Says what it installs, and nothing where all is there. PYTHON=... chooses the Python (3.10 to 3.12).
set -eu
parts=" ${*:-kit} "
cd "$(dirname "$0")"

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

suits() {  # a command: is it a Python that the pinned packages work on?
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.10, 3.11 or 3.12: give the path of one."
        echo "$PYTHON"
        return
    fi
    # A .venv that is there already says which Python was chosen for it.
    if suits .venv/bin/python; then .venv/bin/python -c 'import sys; print(sys._base_executable)'; return; fi
    found=
    for candidate in python3.12 python3.11 python3.10 python3; do
        if suits "$candidate"; then
            found=${found:-$candidate}
            if has_venv "$candidate"; then echo "$candidate"; return; fi
        fi
    done
    [ -n "$found" ] || fail "pynq works on Python 3.10, 3.11 and 3.12, and none is here; get one, and say where it is if \
it is not on the PATH, as in PYTHON=/path/to/python3.12 make lab:
  Debian, Ubuntu  sudo apt-get install python3.12-venv, or 3.11 or 3.10; where the release has none of them:
                  sudo apt-get install pipx && pipx run uv python install 3.12 && pipx run uv python find 3.12
  Fedora          sudo dnf install python3.12
  macOS           brew install python@3.12"
    echo "$found"
}

wanted() { case $parts in *" $1 "*) true ;; *) false ;; esac; }

qemu_missing() { wanted kit && ! { command -v qemu-system-microblazeel || command -v qemu-system-microblaze; } >/dev/null; }
browser_missing() {  # Chromium, and a library of the program that drives it
    wanted browser && ! { command -v chromium && find /usr/lib /usr/lib64 -maxdepth 2 -name libatomic.so.1 | grep .; } \
        >/dev/null 2>&1
}
ssh_missing() { wanted deploy && ! command -v ssh >/dev/null; }

python=$(find_python)
debian=
if qemu_missing; then debian="qemu-system-misc"; fi
if browser_missing; then debian="$debian chromium libatomic1"; fi
if ssh_missing; then debian="$debian openssh-client"; fi
if ! has_venv "$python"; then
    debian="$debian $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi
if [ -n "$debian" ]; then
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
        sudo=
        if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
        echo "setup: installing $debian"
        # shellcheck disable=SC2086  # a list of packages
        said=$({ $sudo apt-get update -q &&
                 $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $debian; } 2>&1) ||
            printf '%s\n' "$said" | tail -5 >&2
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
  Debian, Ubuntu  sudo apt-get install $debian
  Fedora          sudo dnf install qemu-system-microblaze
  Arch            sudo pacman -S qemu-system-microblaze
  macOS           brew install qemu
END
        exit 1
    fi
fi

# What an environment was made from is the last thing written into it: without it, or with another, it is made anew.
made_from() { [ "$(cat "$1/made-from" 2>/dev/null)" = "$2" ]; }

make_environment() {  # a folder and its requirements; until `finished`, the folder goes with this script
    echo "setup: installing the packages of $2 into $1, once; about a minute"
    # shellcheck disable=SC2064  # this folder
    trap "rm -rf $1" EXIT
    trap 'exit 130' INT TERM HUP
    rm -rf "$1"
    "$python" -m venv "$1"
    # The constraint makes pynq be built with the setuptools that is pinned here.
    PIP_CONSTRAINT=$2 "$1/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 -r "$2"
}

finished() {
    echo "$2" > "$1/made-from"
    trap - EXIT
}

if wanted kit; then
    from=$(cat requirements.txt $(find virtual_board/venv -type f) | cksum; pwd; "$python" -V)
    if ! made_from .venv "$from"; then
        make_environment .venv requirements.txt
        pwd > "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pynq_tutorial.pth"
        cp -R virtual_board/venv/. .venv/  # the settings of its kernels and of JupyterLab
        # Matplotlib builds its list of fonts once, and would say so in somebody's notebook.
        .venv/bin/python -c 'import matplotlib.font_manager' >/dev/null 2>&1
        finished .venv "$from"
    fi
fi

other_environment() {
    from=$(cksum < "$2"; pwd; "$python" -V)
    if ! made_from "$1" "$from"; then
        make_environment "$1" "$2"
        finished "$1" "$from"
    fi
}
if wanted browser; then other_environment .browser tests/browser/requirements.txt; fi
if wanted deploy; then other_environment .deploy deploy/requirements.txt; fi
