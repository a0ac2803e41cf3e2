#!/bin/sh
# root.sh FOLDER ENVIRONMENT RELEASE BASE PYTHON CMA_MB LEFTOVER: makes FOLDER into the root of a
# PYNQ-Z1 with a stock image, and becomes the Linux below it (linux.py). Board.__init__ starts it in
# a mount and a PID namespace of its own, so all that is done here is gone when it ends: mounts,
# processes, and what was written, which goes into memory.
#
# ENVIRONMENT: a virtual environment with pynq RELEASE, which becomes the image's Python
# BASE: a folder with base.bit and base.hwh, which become the image's base overlay
# PYTHON: runs linux.py
set -eu
at=$1 environment=$2 release=$3 base=$4 python=$5 megabytes=$6 leftover=$7
here=$(cd "$(dirname "$0")" && pwd)

mount -t tmpfs -o size=8g board "$at"
mkdir "$at/upper" "$at/work" "$at/root" "$at/.outer-proc"
root=$at/root
# Everything of this machine is there, and copied when it is written to.
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$root"

mkdir "$root/.linux" "$root/.proc"
mount -t proc proc "$root/.proc"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
chmod 1777 "$root/tmp"
mkdir -p "$root/run/board" "$root/run/lock"
chmod 1777 "$root/run/lock"

mount -t tmpfs -o size=6g dev "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
chmod 1777 "$root/dev/shm"
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"; done
for link in fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    case $link in *:*) ln -s "${link#*:}" "$root/dev/${link%:*}" ;; *) ln -s /.proc/self/fd "$root/dev/$link" ;; esac
done
truncate -s 4G "$root/dev/mem"
chmod 600 "$root/dev/mem"
mkfifo -m 600 "$root/dev/uio0"

# The image's files. Before v2.7 there is no virtual environment, and the driver is Xlnk's.
own=/usr/local/share/pynq-venv
case $release in 2.[3-6].*) own=/opt/python ;; esac
mkdir -p "$root$own" "$at/own-upper" "$at/own-work" "$root/lib/firmware" "$root/boot" "$root/etc/profile.d"
mount -t overlay overlay -o "lowerdir=$environment,upperdir=$at/own-upper,workdir=$at/own-work" "$root$own"
site=$(echo "$root$own"/lib/python3*/site-packages)
case $release in
2.[3-6].*)
    for command in "$root/usr/local/bin/python3" "$root/usr/bin/python3"; do
        rm -f "$command"
        printf '#!/bin/sh\nexec %s/bin/python3 "$@"\n' $own >"$command"
        chmod 755 "$command"
    done
    packages=$root/usr/local/lib/$(basename "$(dirname "$site")")
    mkdir -p "$packages"
    ln -sfn "${site#"$root"}" "$packages/dist-packages"
    cp "$BOARD_LIBRARY" "$root/usr/lib/libcma.so"
    # pynq 2.5 imports this part of its video library, which is built against the board's own; no
    # lesson uses it.
    case $release in 2.5.*) touch "$site/pynq/lib/_video.py" ;; esac
    touch "$root/dev/xlnk" ;;
*)
    printf 'export XILINX_XRT=/usr\n' >"$root/etc/profile.d/xrt_setup.sh"
    printf 'source /usr/local/share/pynq-venv/bin/activate\n' >"$root/etc/profile.d/pynq_venv.sh"
    cp "$BOARD_LIBRARY" "$root/usr/lib/libxrt_core.so"
    cp "$here/pyxrt.py" "$site/" ;;
esac
cp "$here/xclbinutil" "$here/xbutil" "$root/usr/local/bin/"
if [ -d "$COMPILER" ]; then  # where the image has its own
    mkdir -p "$root/opt/microblazeel-xilinx-elf"
    mount --bind "$COMPILER" "$root/opt/microblazeel-xilinx-elf"
fi
mkdir -p "$site/pynq/overlays/base"
cp "$base/base.bit" "$base/base.hwh" "$site/pynq/overlays/base/"
# pynq asks the processor's name, to know a Zynq from a PC. And pynq 3 keeps what base.hwh says by
# pickle, which with these two files goes deeper than Python's limit of 1000 calls; with its own
# file an image's build does just that.
cat >"$site/board.pth" <<'END'
import os, sys; os.uname = lambda real=os.uname(): os.uname_result(tuple(real)[:4] + ("armv7l",)); sys.setrecursionlimit(6000)
END
printf 'PYNQ_JUPYTER_NOTEBOOKS=/home/xilinx/jupyter_notebooks\nBOARD=Pynq-Z1\n' >>"$root/etc/environment"
echo 'xilinx:x:1000:1000::/home/xilinx:/bin/bash' >>"$root/etc/passwd"
echo 'xilinx:x:1000:' >>"$root/etc/group"
chmod 711 "$root/root"  # so that user xilinx may run a Python that lies in there
mkdir -p "$root/home/xilinx/jupyter_notebooks"
echo "Release 20xx_xx_xx, a stand-in for a board" >"$root/home/xilinx/REVISION"
chown -R 1000:1000 "$root/home/xilinx"

# For linux.py: its own /proc is the new namespace's; under which number the machine knows it, only
# the old one says.
mount --bind /proc "$at/.outer-proc"
mount -t proc proc /proc
exec "$python" "$here/linux.py" "$root" "$megabytes" "$leftover"
