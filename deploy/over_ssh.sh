#!/bin/sh
# over_ssh.sh HOST [OPTION...]: copies the kit to a board over SSH, runs deploy/install.py there
# with the options, and removes the copy. HOST is as for ssh; without a user it is xilinx@HOST.
# SSH=... is the ssh command, with options that win over those below.
set -eu
unset CDPATH  # with it, cd may go elsewhere, and prints where
cd "$(dirname "$0")/.."
host=$1
shift
case $host in *@*) ;; *) host=xilinx@$host ;; esac

fail() { printf 'pynq_tutorial: %s\n' "$*" >&2; exit 1; }

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }  # for a shell on the board

options=
answers=
before=
for option in "$@"; do
    case $before$option in
        --destdir/* | --base-overlay/*) ;;
        --destdir?* | --base-overlay?*)
            fail "$option is on the board: give a path that begins with /." ;;
        *--no-answers) answers=$option ;;
    esac
    before=$option
    options="$options $(quoted "$option")"
done

# shellcheck disable=SC2086  # a command with options
(set -- ${SSH:-ssh} && command -v "$1" >/dev/null) ||
    fail "${SSH:-ssh}, which reaches the board, is not here: install it (Debian, Ubuntu: sudo" \
        "apt-get install openssh-client), or give another one with SSH=..."

# In /tmp, whatever TMPDIR is: a socket's path has at most 103 bytes.
control=$(mktemp -d /tmp/pynq_tutorial.XXXXXXXXXX)
copy=/tmp/pynq_tutorial-${control##*.}  # chosen here, because the board's login may print anything
# One connection for both sessions, so that a password is asked for once; it ends with the first.
# A board that falls silent is given up after 30 s. The user's own settings say how the board is
# reached; those that would do something else there are shut out.
ssh="${SSH:-ssh} -o ControlPath=$control/s -o ControlPersist=no -o ConnectTimeout=30
    -o ServerAliveInterval=10 -o ServerAliveCountMax=3
    -o RemoteCommand=none -o PermitLocalCommand=no -o ClearAllForwardings=yes"
started=

ended() {  # ended PROCESS SECONDS: waits for its end; false if it does not come in time
    end=$(($(date +%s) + $2))
    while kill -0 "$1" 2>/dev/null; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.1
    done
}

# shellcheck disable=SC2329  # for trap
finish() {
    trap - EXIT
    trap '' INT TERM HUP
    exec 3>&-  # now the board removes the copy
    if [ -n "${there:-}" ]; then ended "$holder" 10 || true; fi
    for process in $started; do kill "$process" 2>/dev/null || true; done
    rm -rf "$control"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Packed first: if a file cannot be read, the kit is not installed. Otherwise that file would be
# removed from the board.
# shellcheck disable=SC2086  # an option or none
sh deploy/pack.sh $answers > "$control/kit.tar.gz" ||
    fail "this PC could not pack the kit, so nothing was changed on $host."
size=$(($(wc -c < "$control/kit.tar.gz")))

# A shell on the board keeps the copy for as long as its input is open, which ends with this script
# or with the connection. If it cannot unpack the kit, it says why and ends. tar -m, because a
# board's clock may be in 1970.
hold="LC_ALL=C; export LC_ALL; umask 077; mkdir $copy || exit 1; \
trap \"rm -rf $copy\" EXIT; trap \"exit 1\" HUP INT TERM; \
said=\$(head -c $size | tar -x -z -m -o -f - -C $copy 2>&1) || \
{ echo \"\$said\" | head -n 3 >&2; exit 1; }; echo; echo $copy is there; cat > /dev/null"
mkfifo "$control/in" "$control/out"
exec 4<&0  # for the installer, because a command in the background has no other input
# Each in the background, so that every wait here has an end.
$ssh -o ControlMaster=yes -o RequestTTY=no "$host" "exec sh -c '$hold'" \
    < "$control/in" > "$control/out" &
holder=$! started=$!
exec 3> "$control/in"
cat "$control/kit.tar.gz" >&3 2>/dev/null &
started="$started $!"
grep -q -x "$copy is there" "$control/out" 3>&- &  # other lines are the login's greeting
reader=$! started="$started $!"
terminal=no limit=90 sudo="sudo -n true || exit 77; sudo"
if [ -t 0 ]; then terminal=yes limit=300 sudo=sudo; fi  # where ssh and sudo ask for a password
ended $reader $limit ||
    fail "$host has not taken the kit in $limit s, so nothing was changed there: find out" \
        "whether \`ssh $host true\` ends, and restart the board if it does not."
status=0
if ! wait $reader; then
    ended $holder 10 || kill $holder
    wait $holder || status=$?
    [ $status != 255 ] ||
        fail "$host was not reached, or the connection broke, so nothing was changed there: is" \
            "the board on, and does \`ssh $host\` reach it?"
    fail "$host could not unpack the kit, for the reason above, so nothing was changed there: it" \
        "needs tar, gzip, and room in a /tmp that can be written to (\`df -h /tmp\` on the board)."
fi
there=yes

case $host$options in root@* | *--destdir*) sudo= ;; esac
install="cd $copy || exit; $sudo python3 -E -B -m deploy.install$options"
$ssh -o ControlMaster=no -o RequestTTY=$terminal "$host" "exec sh -c $(quoted "$install")" \
    <&4 3>&- &
installer=$! started="$started $!"
ended $installer 900 ||
    fail "the installer on $host has not ended in 15 minutes: restart the board and give the same" \
        "command again, which completes it."
wait $installer || status=$?
case $status in
    255) fail "the connection to $host broke during the installation: give the same command" \
        "again, which completes it." ;;
    77) fail "sudo on $host needs a password, and asks for it only in a terminal: give the" \
        "command in one, or log in as root, as in HOST=root@${host#*@}. Nothing was changed." ;;
esac
exit $status
