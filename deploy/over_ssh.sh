#!/bin/sh
# over_ssh.sh HOST [OPTION...]: copies the kit to a board over SSH, runs deploy/install.py there with the options, and removes
# the copy. HOST as ssh takes it; the user is xilinx if none is given. SSH=... is the ssh to use, with its options.
set -eu
host=$1
shift
case $host in *@*) ;; *) host=xilinx@$host ;; esac
cd "$(dirname "$0")/.."

options=
for option in "$@"; do options="$options '$option'"; done

# One connection for all steps, so that a password is asked for once.
control=$(mktemp -d)
ssh="${SSH:-ssh} -o ControlMaster=auto -o ControlPath=$control/%C -o ControlPersist=60"
copy=
finish() {
    trap - EXIT
    if [ -n "$copy" ]; then $ssh "$host" "rm -rf '$copy'" || true; fi
    $ssh -O exit "$host" 2>/dev/null || true
    rm -rf "$control"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

copy=$($ssh "$host" "mktemp -d")
sh deploy/pack.sh | $ssh "$host" "tar -x -z -C '$copy'"
terminal=
if [ -t 0 ]; then terminal=-t; fi  # sudo asks for its password there
sudo=sudo
case $host$options in root@* | *--destdir*) sudo= ;; esac
$ssh $terminal "$host" "cd '$copy' && $sudo python3 -B -m deploy.install$options"
