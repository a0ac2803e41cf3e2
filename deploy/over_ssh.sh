#!/bin/sh
# over_ssh.sh HOST [OPTION...]: copies the kit to a board over SSH, runs deploy/install.py there with the options, and removes
# the copy. HOST as ssh takes it; the user is xilinx if none is given. SSH=... is the ssh to use, with its options.
set -eu
host=$1
shift
case $host in *@*) ;; *) host=xilinx@$host ;; esac
cd "$(dirname "$0")/.."

options=
before=
for option in "$@"; do
    case $before in --destdir | --base-overlay)
        case $option in /*) ;; *)
            echo "pynq_tutorial: $option is on the board, whose folders are not this PC's: give a path that begins with /." >&2
            exit 1 ;;
        esac ;;
    esac
    before=$option
    options="$options '$(printf %s "$option" | sed "s/'/'\\\\''/g")'"  # as the board's shell is to read it
done

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

# First here, so that no kit is installed that could not be read to its end: what it lacked would be removed from the board.
sh deploy/pack.sh > "$control/kit.tar.gz"
copy=$($ssh "$host" "mktemp -d")
$ssh "$host" "tar -x -z -C '$copy'" < "$control/kit.tar.gz"
terminal=
if [ -t 0 ]; then terminal=-t; fi  # sudo asks for its password there
sudo=sudo
case $host$options in root@* | *--destdir*) sudo= ;; esac
$ssh $terminal "$host" "cd '$copy' && $sudo python3 -B -m deploy.install$options"
