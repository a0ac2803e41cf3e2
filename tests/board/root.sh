#!/bin/sh
# Makes the folder $AT into the root of a PYNQ-Z1 with a stock image, and becomes the Linux below it
# (linux.py). board.py starts it in a mount and a PID namespace of its own, and gives all variables:
# when it ends, mounts, processes and what was written are gone.
#
# ENVIRONMENT: has pynq RELEASE, and becomes the image's Python
# ARM_ROOT: has the libraries and the program of that Python, if it is an ARM one, else empty
# BASE: has the image's base.bit and base.hwh; KIT: a checkout, which is at /home/xilinx/kit
set -eu
here=$KIT/tests/board
mount -t tmpfs -o size=8g board "$AT"
root=$AT/root
mkdir "$root" "$AT/outside"

over() {  # over FOLDER AT: FOLDER is at AT, and what is written there goes into memory
    own=$(mktemp -d -p "$AT")
    mkdir -p "$2" "$own/upper" "$own/work"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$own/upper,workdir=$own/work" "$2"
}
over / "$root"  # all of this machine
mkdir "$root/.linux" "$root/.proc"
mount -t proc proc "$root/.proc"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
mount -t tmpfs -o size=6g dev "$root/dev"
mkdir -p "$root/run/board" "$root/run/lock" "$root/dev/shm" "$root/dev/pts"
chmod 1777 "$root/tmp" "$root/run/lock" "$root/dev/shm"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
ln -s /.proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
truncate -s 4G "$root/dev/mem"
chmod 600 "$root/dev/mem"
mkfifo -m 600 "$root/dev/uio0"

# The image's files. Before v2.7 there is no virtual environment, and the driver is Xlnk's.
mkdir -p "$root/lib/firmware" "$root/boot" "$root/etc/profile.d"
over "$ENVIRONMENT" "$root$PYTHON_AT"
site=$(echo "$root$PYTHON_AT"/lib/python3*/site-packages)
case $RELEASE in
2.6.*)
    for command in "$root/usr/local/bin/python3" "$root/usr/bin/python3"; do
        rm -f "$command"
        printf '#!/bin/sh\nexec %s/bin/python3 "$@"\n' "$PYTHON_AT" >"$command"
        chmod 755 "$command"
    done
    packages=$root/usr/local/lib/$(basename "$(dirname "$site")")
    mkdir -p "$packages"
    ln -sfn "${site#"$root"}" "$packages/dist-packages"
    cp "$LIBRARY" "$root/usr/lib/libcma.so"
    touch "$root/dev/xlnk" ;;
*)
    printf 'export XILINX_XRT=/usr\n' >"$root/etc/profile.d/xrt_setup.sh"
    printf 'source %s/bin/activate\n' "$PYTHON_AT" >"$root/etc/profile.d/pynq_venv.sh"
    cp "$LIBRARY" "$root/usr/lib/libxrt_core.so"
    cp "$KIT/arm_board/pyxrt.py" "$here/xrt_buffer.py" "$site/" ;;
esac
if [ -n "$ARM_ROOT" ]; then
    # At their own paths, and in the place of this machine's Python. Python finds its packages by
    # $0; the processor is a Zynq's.
    for folder in "$ARM_ROOT"/usr/lib/python3* "$ARM_ROOT/usr/lib/arm-linux-gnueabihf"; do
        over "$folder" "$root/usr/lib/${folder##*/}"
    done
    cp -P "$ARM_ROOT/usr/lib/ld-linux-armhf.so.3" "$root/usr/lib/"
    rm -f "$root"/usr/bin/python3* "$root"/usr/local/bin/python3*
    cp "$ARM_ROOT/usr/bin/python3" "$root/usr/bin/python3-arm"
    cat >"$root/usr/bin/python3" <<'END'
#!/bin/sh
exec qemu-arm -cpu cortex-a9 -0 "$0" /usr/bin/python3-arm "$@"
END
    chmod 755 "$root/usr/bin/python3"
fi
cp "$KIT/arm_board/xclbinutil" "$KIT/arm_board/xbutil" "$root/usr/local/bin/"
if [ -d "$COMPILER" ]; then  # where the image has its own
    mkdir -p "$root/opt/microblazeel-xilinx-elf"
    mount --bind "$COMPILER" "$root/opt/microblazeel-xilinx-elf"
fi
mkdir -p "$site/pynq/overlays/base"
cp "$BASE/base.bit" "$BASE/base.hwh" "$site/pynq/overlays/base/"
# pynq 3 keeps what base.hwh says by pickle, which with these two files goes deeper than Python's
# limit of 1000 calls; with its own file an image's build does just that.
echo 'import sys; sys.setrecursionlimit(6000)' >"$site/board.pth"
if [ -z "$ARM_ROOT" ]; then  # pynq asks the processor's name, to know a Zynq from a PC
    cat >>"$site/board.pth" <<'END'
import os, sys; os.uname = lambda real=os.uname(): os.uname_result(tuple(real)[:4] + ("armv7l",))
END
fi
printf 'PYNQ_JUPYTER_NOTEBOOKS=%s\nBOARD=Pynq-Z1\n' "$NOTEBOOKS" >>"$root/etc/environment"
echo 'xilinx:x:1000:1000::/home/xilinx:/bin/bash' >>"$root/etc/passwd"
echo 'xilinx:x:1000:' >>"$root/etc/group"
chmod 711 "$root/root"  # so that user xilinx may run a Python that lies in there
mkdir -p "$root$NOTEBOOKS"
echo "Release 20xx_xx_xx, a stand-in for a board" >"$root/home/xilinx/REVISION"
chown -R 1000:1000 "$root/home/xilinx"
over "$KIT" "$root/home/xilinx/kit"

# For linux.py: its own /proc is the new namespace's; under which number the machine knows it, only
# the old one says.
mount --bind /proc "$AT/outside"
mount -t proc proc /proc
exec "$PYTHON" "$here/linux.py" "$root"
