#!/bin/sh
# over_ssh.sh HOST [OPTION...]: copies the kit to a board over SSH, runs deploy/install.py there with the options, and removes
# the copy. HOST is as for ssh; the user is xilinx unless one is given. SSH=... is the ssh command with its options.
set -eu
host=$1
shift
case $host in *@*) ;; *) host=xilinx@$host ;; esac
cd "$(dirname "$0")/.."

options=
answers=
before=
for option in "$@"; do
    case $before in --destdir | --base-overlay)
        case $option in /*) ;; *)
            echo "pynq_tutorial: $option is on the board, whose folders are not this PC's: give a path that begins with /." >&2
            exit 1 ;;
        esac ;;
    esac
    if [ "$option" = --no-answers ]; then answers=$option; fi
    before=$option
    options="$options '$(printf %s "$option" | sed "s/'/'\\\\''/g")'"  # quoted for the board's shell
done

# One connection for all steps, so that a password is asked for once.
control=$(mktemp -d)
ssh="${SSH:-ssh} -o ControlMaster=auto -o ControlPath=$control/%C -o ControlPersist=60"
copy=/tmp/pynq_tutorial-${control##*.}  # chosen here, because the board's login may print anything
holder=
finish() {
    trap - EXIT
    trap '' INT TERM HUP
    exec 3>&-  # now the board removes the copy
    tries=0
    while [ -n "$holder" ] && kill -0 "$holder" 2>/dev/null && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    $ssh -O exit "$host" 2>/dev/null || true
    rm -rf "$control"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Packed first: if a file cannot be read, the kit is not installed. Otherwise that file would be removed from the board.
sh deploy/pack.sh $answers > "$control/kit.tar.gz"
size=$(($(wc -c < "$control/kit.tar.gz")))
$ssh "$host" true > /dev/null  # asks for a password, if it has to

# A shell on the board keeps the copy for as long as its input is open, and removes it when the input ends: at the end of this
# script, or when the connection breaks.
mkfifo "$control/in" "$control/out"
$ssh "$host" "umask 077; mkdir '$copy' || exit; trap \"rm -rf '$copy'\" EXIT; trap 'exit 1' HUP INT TERM
    head -c $size | tar -x -z -C '$copy' && echo && echo '$copy is there'; cat > /dev/null" \
    < "$control/in" > "$control/out" &
holder=$!
exec 3> "$control/in"
cat "$control/kit.tar.gz" >&3 &  # in the background, in case the board does not read it
there=
while [ -z "$there" ] && read -r line; do
    if [ "$line" = "$copy is there" ]; then there=yes; fi  # other lines are the login's greeting
done < "$control/out"
[ -n "$there" ]

terminal=
if [ -t 0 ]; then terminal=-t; fi  # sudo asks for its password there
sudo=sudo
case $host$options in root@* | *--destdir*) sudo= ;; esac
$ssh $terminal "$host" "cd '$copy' && $sudo python3 -B -m deploy.install$options" 3>&-
