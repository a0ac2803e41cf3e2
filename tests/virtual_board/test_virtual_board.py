"""The virtual board: what pynq sees of it, and that nothing of it is left behind, whatever way it
ends."""

import os
import pathlib
import shutil
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
from pynq import GPIO, MMIO, PL, Bitstream, Clocks, Device, Overlay, allocate

import virtual_board
from helpers import waiting
from helpers.kit import OVERLAY, ROOT, run_python
from helpers.processes import PROGRAM_THAT, soon
from helpers.programs import programs
from iop.pynq_tutorial import STATUS_READY, Pynq_Tutorial
from virtual_board.memory import SIZE
from virtual_board.microblaze import qemu
from virtual_board.microblaze.gdb import PC, Stub
from virtual_board.microblaze.qemu import QemuError

pytestmark = pytest.mark.slow

PROGRAMS = pathlib.Path(__file__).parent / "programs"


def test_activate_gives_one_board(board):
    assert virtual_board.activate() is board
    assert Device.active_device.name == "virtual_board"
    board.close()
    board.close()
    assert virtual_board.activate() is not board
    virtual_board.activate().close()


def test_a_closed_board_says_so(board):
    board.close()
    for call in (lambda: Overlay(OVERLAY)), (lambda: allocate((4,))):
        with pytest.raises(RuntimeError, match="closed.*activate"):
            call()


def test_buffers_of_a_closed_board_are_no_buffers_of_the_next(board):
    old = allocate((4,))
    old[:] = 3
    board.close()
    assert old.freed and old.tolist() == [3, 3, 3, 3]
    virtual_board.activate()
    iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
    for request in (old, old.physical_address):
        with pytest.raises(ValueError):
            iop.write_to_buffer(request, 1, 1)
    virtual_board.activate().close()


def test_stays_off_when_told():
    program = "import virtual_board; print(virtual_board.activate())"
    run = run_python(program, env=dict(os.environ, PYNQ_VIRTUAL_BOARD="0"))
    assert run.stdout == "None\n"


def test_stays_off_where_there_is_a_real_board(monkeypatch, tmp_path):
    monkeypatch.setattr(virtual_board, "FPGA_MANAGER", str(tmp_path))
    assert virtual_board.activate() is None


def test_overlay_is_what_the_hwh_says(overlay):
    assert overlay.iop1.mb_info["ip_name"] == "iop1/mb_bram_ctrl"
    memory = overlay.mem_dict["iop1/mb_bram_ctrl"]
    assert (memory["phys_addr"], memory["addr_range"]) == (0x40000000, 0x10000)
    pins = {name: pin["index"] for name, pin in overlay.gpio_dict.items()}
    assert pins == {"mb_iop1_reset": 0, "mb_iop1_intr_ack": 4}
    assert overlay.interrupt_pins["iop1/dff_en_reset_vector_0/q"]["index"] == 8
    assert overlay.interrupt_controllers["system_interrupts"]["raw_irq"] == 61
    assert "iop1" in overlay.__doc__


def test_clocks_are_a_boards(overlay):
    assert Clocks.cpu_mhz == 650 and Clocks.fclk0_mhz == 100


def test_missing_overlay_is_one_sentence(board, tmp_path):
    with pytest.raises(IOError, match="no_such.bit does not exist"):
        Overlay(str(tmp_path / "no_such.bit"))


def test_no_iop_without_an_overlay(board):
    with pytest.raises(RuntimeError, match="download the overlay first"):
        _ = board.microblaze
    with pytest.raises(ValueError, match="0x40000000: with no overlay"):
        MMIO(0x40000000, 4)


def test_mmio_answers_where_the_board_does(board, overlay):
    MMIO(0x4000F000, 16).write(12, 77)
    assert board.iop.memory.words[0xF00C // 4] == 77
    assert MMIO(0xF8000000, 0x200).read(0x108) >> 12 == 20
    buffer = allocate((4,))
    buffer[1] = 99
    assert MMIO(buffer.physical_address, 16).read(4) == 99
    for nowhere in (0x40010000, 0x20000000, 0x43C00000):
        with pytest.raises(ValueError, match=f"Nothing answers at {nowhere:#x}"):
            MMIO(nowhere, 4)


def test_mmio_beyond_the_end_of_what_answers(board, overlay):
    """A board maps whatever length it is told, and an access beyond the end stops the bus: here it
    is an error."""
    mmio, last = MMIO(0x4000FFF8, 0x100), MMIO(0x4000FFFC, 8)
    mmio.write(4, 5)
    assert mmio.read(4) == 5
    for access in (lambda: mmio.read(8)), (lambda: mmio.write(8, 1)), (lambda: last.read(0, 8)):
        with pytest.raises(IndexError):
            access()
    assert MMIO(0x40000000, 6).array.size == 1  # whole words, as on a board


def test_an_overlays_memories_are_read_and_written(board, overlay):
    assert allocate((5,), target=overlay.PSDDR).physical_address >= 0x18000000
    with pytest.raises(RuntimeError, match="0x40000000 has no buffers: give overlay.PSDDR"):
        allocate((5,), target=overlay.iop1.mb_bram_ctrl)
    overlay.PSDDR.write(0x1000, 5)
    assert overlay.PSDDR.read(0x1000) == 5 and board.memory.ddr[0x1000] == 5
    overlay.iop1.mb_bram_ctrl.write(0xF010, 9)
    assert overlay.iop1.mb_bram_ctrl.read(0xF010) == MMIO(0x4000F010).read() == 9
    assert allocate((5,), target=Device.active_device).size == 5


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (((7.0,),), TypeError, r"shape is \(7.0,\): give whole numbers"),
        ((("7",),), TypeError, "give whole numbers"),
        (("7",), TypeError, "give whole numbers"),
        (((-2, -3),), RuntimeError, "at least 1"),
        (((2**70,),), RuntimeError, "were asked for"),
        (((10,) * 70,), RuntimeError, "were asked for"),
        (((1,) * 70,), ValueError, "dimension"),
        (((4,), "O"), TypeError, "cannot hold Python's objects"),
        (((4,), "no type"), TypeError, "no type"),
        (((4,), "V0"), RuntimeError, "at least 1"),
    ],
)
def test_a_refused_allocation_costs_no_memory(board, arguments, error, words):
    free = board.cma.available()
    # which keeps what the frames had, as a notebook does
    with pytest.raises(error, match=words) as kept:
        allocate(*arguments)
    assert board.cma.available() == free and kept


NO_BITSTREAM = "does not have the name of a bitstream: .*.bit or .bin"


@pytest.mark.parametrize(
    "name, there, error, words",
    [
        ("x.bit", [], OSError, "x.bit does not exist"),
        ("x.bit", ["x.hwh"], None, None),
        ("x.bit", ["x.bit", "x.hwh"], None, None),
        ("x.bin", ["x.bin", "x.hwh"], None, None),
        ("x.bit", ["x.bit"], RuntimeError, "x.hwh is missing.*beside x.bit"),
        ("x", ["x.hwh"], OSError, "x does not exist"),
        ("x.hwh", ["x.hwh"], RuntimeError, "x.hwh " + NO_BITSTREAM),
        ("x.BIT", ["x.BIT", "x.hwh"], RuntimeError, "x.BIT " + NO_BITSTREAM),
        ("x.bin", ["x.hwh"], OSError, "x.bin does not exist"),
        (pathlib.Path("x.bit"), ["x.hwh"], TypeError, "string"),
    ],
)
def test_an_overlays_name_is_taken_or_refused(
    board, tmp_path, monkeypatch, name, there, error, words
):
    """As on a board."""
    monkeypatch.chdir(tmp_path)
    hwh = (ROOT / "bitstream" / "pynq_tutorial.hwh").read_bytes()
    for file in there:
        (tmp_path / file).write_bytes(hwh if file.endswith("hwh") else b"")
    if error is None:
        assert Overlay(name).iop1
        assert Overlay(str(tmp_path / name), download=False).iop1
    else:
        with pytest.raises(error, match=words):
            Overlay(name)
        assert not board.has_overlay()


def test_a_path_that_leads_elsewhere_is_not_the_kits_own(board, tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    for elsewhere in "../bitstream/", str(tmp_path / "a" / "bitstream" / "_")[:-1]:
        with pytest.raises(OSError, match="does not exist"):
            Overlay(elsewhere + "pynq_tutorial.bit")
    assert Overlay("./bitstream/pynq_tutorial.bit").iop1  # from whatever folder


def test_a_bitstream_is_downloaded_without_an_overlay(board, tmp_path):
    """Bitstream does not read the .hwh, as Overlay does."""
    bitstream = Bitstream(OVERLAY)
    bitstream.gen_cache()
    bitstream.download()
    assert PL.bitfile_name == OVERLAY and "iop1/mb_bram_ctrl" in PL.mem_dict
    (tmp_path / "other.bit").write_bytes(b"")
    with pytest.raises(RuntimeError, match="other.hwh is missing"):
        Bitstream(str(tmp_path / "other.bit")).download()
    with pytest.raises(RuntimeError, match="is a partial bitstream"):
        Bitstream(OVERLAY, partial=True).download()
    assert PL.bitfile_name == OVERLAY


def test_gpio_pins_have_the_numbers_linux_gives_them(board):
    assert GPIO.get_gpio_pin(0) == 906 + 54
    pin = GPIO(GPIO.get_gpio_pin(4), "in")
    assert pin.read() == 0
    pin.release()


def test_reset_holds_and_releases(iop, by_hand, board, buffer):
    by_hand.reset()
    by_hand.write(0xF000, buffer.physical_address)
    by_hand.write(0xF004, 1)
    by_hand.write(0xF00C, 0)
    time.sleep(0.05)
    assert by_hand.read(0xF000) == buffer.physical_address and by_hand.read(0xF00C) == 0
    by_hand.run()
    assert waiting.soon(lambda: by_hand.read(0xF00C) == STATUS_READY)
    # it forgets what came before it was ready
    assert by_hand.read(0xF000) == 0 and not buffer.any()


def test_a_second_program_replaces_the_first(load):
    for value in (5, 6, 7):  # addik r3, r0, value; imm 0; swi r3, r0, 0xF010; bri 0
        microblaze = load([0x30600000 | value, 0xB0000000, 0xF860F010, 0xB8000000])
        assert waiting.soon(lambda: microblaze.read(0xF010) == value)


def test_the_processor_lacks_what_the_stock_iop_lacks(load):
    six_times_seven = [0x30600006, 0x30800007, 0x40A32000]  # addik r3; addik r4; mul r5, r3, r4
    shown = [0xB0000000, 0xF8A0F010, 0xB0000000, 0xF8A0F014, 0xB8000000]  # imm, swi r5, ...; bri 0
    microblaze = load(six_times_seven + shown)
    time.sleep(0.1)
    assert microblaze.read(0xF010) != 42


def test_downloading_again_starts_anew(iop, overlay, board):
    overlay.download()
    assert not board.iop.memory.bram.any()
    buffer = allocate((4,))
    for call in (lambda: iop.write_to_buffer(buffer, 1, 1)), iop.reset:
        with pytest.raises(RuntimeError, match="overlay was downloaded since.*make a new one"):
            call()
    assert not board.iop.memory.bram.any()
    Pynq_Tutorial(overlay.iop1.mb_info).write_to_buffer(buffer, 1, 1)
    assert buffer[0] == 1


def test_stray_writes_are_found(iop, unchecked, board, buffer):
    iop.write_to_buffer(buffer, 100, 1)
    assert board.stray_writes() == []
    far, end = 0x00100000, buffer.physical_address + 400
    page = buffer.physical_address + 4096
    for address, length in (far, 3), (end, 2), (page, 1):
        unchecked(address, length, 9)
    expected = [(far, 12), (end, 8), (page, 4)]
    assert board.stray_writes() == expected
    buffer.freebuffer()
    allocate((3000,), "u4")[:] = 1
    assert board.stray_writes() == expected  # they stay found
    assert {stray.by for stray in board.stray_writes()} == {("iop1",)}
    unchecked(far + 12, 1, 9)
    assert board.stray_writes()[0] == (far, 16)


def test_stray_write_beside_a_buffer_that_ends_within_a_word(board):
    buffer = allocate((6,), "u1")
    buffer[:] = 255
    assert board.stray_writes() == []
    board.memory.ddr[buffer.physical_address + 6] = 1
    assert board.stray_writes() == [(buffer.physical_address + 4, 4)]


def test_stray_write_into_a_freed_buffer_is_found(iop, unchecked, board, buffer):
    address = buffer.physical_address
    iop.write_to_buffer(buffer, 100, 1)
    buffer.freebuffer()
    assert board.stray_writes() == []
    unchecked(address + 8, 2, 5)
    assert board.stray_writes() == [(address + 8, 8)]


def qemu_error(words):
    """Loads the overlay, which has to fail with one sentence."""
    with pytest.raises(QemuError, match=words) as raised:
        Overlay(OVERLAY)
    assert "\n" not in str(raised.value)


@pytest.fixture
def path(monkeypatch, tmp_path):
    """A folder that is the PATH, and a function that writes shell scripts into it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    return lambda name, script: programs(tmp_path, **{name: script})


def test_qemu_missing_is_one_sentence(board, path):
    qemu_error(f"needs {qemu.NAMES[0]}, which is not installed.*make doctor")


def test_a_notebook_shows_the_sentence_alone():
    program = (PROGRAMS / "in_a_notebook.py").read_text()
    run = run_python(program, env=dict(os.environ, PATH="/nowhere"))
    said = "QemuError: The virtual board needs " + qemu.NAMES[0]
    assert run.stdout.startswith(said), run.stdout + run.stderr
    assert len(run.stdout.splitlines()) == 1


# what an older QEMU says of a CPU property that it does not know
TOO_OLD = """
[ "$1" = --version ] && { echo "QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)"; exit 0; }
echo "Property 'microblaze-cpu.use-div' not found" >&2; exit 1
"""


def test_qemu_too_old_is_one_sentence(board, path):
    path(qemu.NAMES[0], TOO_OLD)
    qemu_error(f"/{qemu.NAMES[0]} is QEMU 5.2.0, and .* 6.2 or newer: .*make doctor")


def test_qemu_that_fails_says_why(board, path):
    path(qemu.NAMES[0], "echo 'unsupported machine type' >&2; exit 1\n")
    qemu_error("QEMU ended when it was started, as .*, and said: unsupported machine type.$")


@pytest.fixture
def another_library(monkeypatch, tmp_path):
    """LD_LIBRARY_PATH leads to a library with the name of one that QEMU needs and nothing in it, as
    an older tool's may be."""
    name = "libpixman-1.so.0"
    if shutil.which("cc") is None or name.encode() not in subprocess.check_output(
        ["ldd", qemu.find()]
    ):
        pytest.skip("needs a C compiler, and a QEMU that is linked with libpixman")
    (tmp_path / "nothing.c").write_text("int nothing(void) { return 0; }")
    options = ["-shared", "-fPIC", "-Wl,-soname," + name, "-o", name, "nothing.c"]
    subprocess.check_call(["cc"] + options, cwd=str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))


def test_another_tools_libraries_do_not_reach_the_systems_qemu(board, another_library):
    assert Overlay(OVERLAY).iop1.mb_info
    assert qemu.version(qemu.find()) >= qemu.OLDEST


def test_another_tools_libraries_are_named(board, another_library, request):
    """A QEMU that lies elsewhere: it gets them, because it may need them, and the sentence says
    what they may do."""
    real = qemu.find()
    request.getfixturevalue("path")(qemu.NAMES[0], f'exec {real} "$@"\n')
    qemu_error("symbol lookup error.* LD_LIBRARY_PATH is set.*try again without it.$")


def test_qemu_goes_by_either_name(board, request):
    real = qemu.find()
    request.getfixturevalue("path")(qemu.NAMES[1], f'exec {real} "$@"\n')
    iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
    buffer = allocate((4,))
    iop.write_to_buffer(buffer, 4, 1)
    assert buffer.tolist() == [1, 2, 3, 4]


def test_a_big_endian_qemu_is_one_sentence(board, monkeypatch, tmp_path):
    real = shutil.which(qemu.NAMES[1])
    if real is None or qemu.version(real) >= (10,):
        pytest.skip("no QEMU here that has the other byte order alone")
    (tmp_path / qemu.NAMES[1]).symlink_to(real)
    monkeypatch.setenv("PATH", str(tmp_path))
    qemu_error("big-endian MicroBlaze only")


ENDS = ["", "sys.exit(3)", "1 / 0", "os._exit(0)", "os.kill(os.getpid(), 9)", "board.close()"]


@pytest.mark.parametrize("end", ENDS + ["del board, iop, buffer"])
def test_nothing_is_left_whatever_way_python_ends(end, tmp_path):
    shared_memory = set(os.listdir("/dev/shm"))
    run = run_python(PROGRAM_THAT + end, env=dict(os.environ, TMPDIR=str(tmp_path)))
    assert soon(int(run.stdout), "ZX"), run.stderr
    assert os.listdir(str(tmp_path)) == [] and set(os.listdir("/dev/shm")) <= shared_memory


def test_nothing_is_left_when_a_fork_goes_on():
    run = run_python((PROGRAMS / "fork.py").read_text())
    assert run.returncode == 0, run.stderr
    assert all(soon(int(pid), "ZX") for pid in run.stdout.split()) and len(run.stdout.split()) == 2


def test_no_port_is_open_and_no_socket_has_a_name(iop, board):
    process = pathlib.Path(f"/proc/{board.microblaze.pid}")
    inodes = {os.readlink(str(fd)).strip("socket:[]") for fd in (process / "fd").iterdir()}

    def ours(table, column):
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        return [row for row in rows if row[column] in inodes]

    named = [len(row) != 7 for row in ours(process / "net/unix", 6)]  # an eighth would be a name
    assert named and not any(named)
    for family in "tcp", "tcp6", "udp", "udp6":
        table = process / "net" / family
        assert not table.exists() or not ours(table, 9)


def test_the_files_of_pynq_are_as_installed():
    check = run_python((PROGRAMS / "as_installed.py").read_text())
    assert check.returncode == 0, check.stderr


def test_the_command_line_can_be_typed_by_hand(tmp_path):
    """With a file for the memory, and `-s` in place of the last four words."""
    ram, gdb = tmp_path / "memory", str(tmp_path / "gdb")
    ram.write_bytes(b"")
    os.truncate(str(ram), SIZE)
    memory = SimpleNamespace(size=SIZE, reset_address=0x1000, cpu="use-mmu=off")
    typed = qemu.command(qemu.find(), memory, str(ram), 3)[:-4]
    run = subprocess.Popen(
        typed + ["-gdb", f"unix:{gdb},server=on,wait=off"], stderr=subprocess.PIPE
    )
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            assert waiting.soon(lambda: not connection.connect_ex(gdb))
            connection.settimeout(60)
            assert Stub(connection).registers()[PC] in (0x1000, 0x100000)  # QEMU 11's byte order
    finally:
        run.kill()
        assert run.communicate()[1] == b""
