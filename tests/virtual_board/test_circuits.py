"""Circuits of one's own: the code of docs/circuits.md, and what can go wrong."""

import asyncio
import re

import numpy as np
import pytest
from pynq import Overlay, allocate

import virtual_board
from helpers import overlays
from helpers.drivers import in_a_loop
from helpers.kit import ROOT
from virtual_board import circuit
from virtual_board.hwh_writer import SYSTEM, Hwh

REGISTERS = {"a": (0x10, {}), "b": (0x18, {}), "sum": (0x20, {})}
FIELDS = {name: (offset, {name: (0, 32)}) for name, (offset, _) in REGISTERS.items()}


@pytest.fixture(autouse=True)
def registered():
    """What a test registers is not there for the next."""
    before = dict(circuit._circuits)
    yield
    circuit._circuits.clear()
    circuit._circuits.update(before)


@pytest.fixture
def adder(board, tmp_path):
    """The path of an overlay with an adder and with a DMA through a doubling stream."""
    design = Hwh("adder")
    design.add("add", "xilinx.com:hls:add:1.0")
    design.reach("add", 0x43C00000, bus="s_axi_control")
    design.registers("add", FIELDS, bus="s_axi_control")
    overlays.dma(design, "dma", 0x40400000)
    design.add("double", "xilinx.com:hls:double:1.0")
    design.stream("dma.M_AXIS_MM2S", "double.in_r")
    design.stream("double.out_r", "dma.S_AXIS_S2MM")
    overlays.controller(design, "intc", 0x41800000, ["add.interrupt", "dma.s2mm_introut"])
    design.wire("intc.irq", f"{SYSTEM}.IRQ_F2P")
    return overlays.write(design, tmp_path, "adder")


def test_the_documents_code(adder, monkeypatch, tmp_path):
    """Each line with a comment at its end has that value."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "circuits.md").read_text()
    names, compared = {}, 0
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(block, names)
        for expression, value in re.findall(r"^(overlay\S+|received\S+)  # (.+)$", block, re.M):
            assert repr(eval(expression, names)) == value
            compared += 1
    assert compared == 2

    async def waits(overlay):
        task = asyncio.ensure_future(overlay.add.interrupt.wait())
        await asyncio.sleep(0.05)
        assert not task.done()
        overlay.add.write(0, 1)  # nobody has enabled its interrupt
        await asyncio.sleep(0.05)
        assert not task.done()
        overlay.add.write(4, 1)
        overlay.add.write(8, 1)
        overlay.add.write(0, 1)
        await asyncio.wait_for(task, 60)

    in_a_loop(waits(names["overlay"]))


def add(**methods):
    """A class for the adder's place, registered."""
    return virtual_board.add_circuit(
        type("Odd", (virtual_board.Circuit,), dict(VLNV="xilinx.com:hls:add:1.0", **methods))
    )


def test_registers_of_a_class_without_methods(adder, board):
    overlay = Overlay(adder)
    overlay.add.write(0x10, 1)  # has no model yet
    odd = add()
    overlay.download()
    overlay.add.write(0x8010, 7)
    assert overlay.add.read(0x8010) == 7 and overlay.add.read(0x10) == 0
    assert isinstance(board.circuits["add"], odd) and list(board.circuits) == ["add"]
    overlay.download()
    assert overlay.add.read(0x8010) == 0


def fails(*_):
    raise OSError("it is broken")


def test_errors_are_told_once_and_pynq_goes_on(adder, capfd):
    add(write=fails, read=lambda self, offset: -1 if offset else exit())
    ip = Overlay(adder).add
    for _ in range(2):
        ip.write(0, 1)
        assert ip.read(0) == 0 and ip.read(4) == 0
    said = capfd.readouterr().err
    rubbish = "Odd.read(0x4) returned -1: return a whole number"
    for words in "OSError: it is broken", "SystemExit", rubbish:
        assert said.count(words) == 1
    assert said.count("for add, and the board goes on without its answer.") == 2
    assert "circuit.py" not in said  # only the student's own lines


def test_an_error_at_the_start(adder, board, capfd):
    add(__init__=fails)
    ip = Overlay(adder).add
    ip.write(0, 1)
    assert ip.read(0) == 0 and board.circuits == {}
    assert "This came from Odd.__init__(), for add" in capfd.readouterr().err


def test_an_interrupt_that_is_not_there(adder, board):
    add()
    Overlay(adder)
    with pytest.raises(ValueError, match="add has no interrupt output 'irq'.* it has interrupt"):
        board.circuits["add"].interrupt("irq", 1)
    add()().interrupt("irq", 1)  # of an object that is not in the fabric: nothing


def test_a_circuit_of_an_earlier_overlay_reaches_nothing(adder, board):
    add()
    Overlay(adder)
    before = board.circuits["add"]
    overlay = Overlay(adder)
    before.interrupt("interrupt", 1)
    before.send([1])
    controller = overlay.intc
    controller.write(0x1C, 3)
    assert controller.read(0) == 0
    board.circuits["add"].interrupt("interrupt", 1)
    assert controller.read(0) == 1


PACKETS = {
    "of a list": (lambda self, data: [1, 2, 3], [1, 2, 3]),
    "of floats": (lambda self, data: data.astype("f4"), [0x3F800000, 0x40000000]),
    "none": (lambda self, data: None, []),
    "text": (lambda self, data: np.array(["x", None]), []),
    "sent twice": (lambda self, data: self.send(data) or self.send([9]), [1, 2]),
}


@pytest.mark.parametrize("name", PACKETS)
def test_packets(adder, capfd, name):
    method, expected = PACKETS[name]
    names = dict(VLNV="xilinx.com:hls:double:1.0", stream=method)
    virtual_board.add_circuit(type("Stream", (virtual_board.Circuit,), names))
    dma, sent, received = Overlay(adder).dma, allocate(2, "u4"), allocate(8, "u4")
    sent[:] = 1, 2
    dma.recvchannel.transfer(received)
    dma.sendchannel.transfer(sent)
    dma.sendchannel.wait()
    assert dma.recvchannel.idle == bool(expected)
    assert received[: len(expected)].tolist() == expected
    assert ("cannot be sent" in capfd.readouterr().err) == (name == "text")


@pytest.mark.parametrize(
    "wrong, error, says",
    [
        (7, TypeError, "7 is not a class of a circuit"),
        (type("Adder", (), {}), TypeError, "derive one from virtual_board.Circuit"),
        (type("Adder", (virtual_board.Circuit,), {}), ValueError, "Adder.VLNV is None: give"),
        (
            type("Adder", (virtual_board.Circuit,), {"VLNV": "add"}),
            ValueError,
            "Adder.VLNV is 'add'",
        ),
    ],
)
def test_what_is_no_circuit(wrong, error, says):
    before = dict(circuit._circuits)
    with pytest.raises(error, match=says):
        virtual_board.add_circuit(wrong)
    assert circuit._circuits == before
