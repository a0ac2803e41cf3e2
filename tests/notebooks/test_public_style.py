"""Notebooks such as are published for these boards run in a kernel of the kit's, as they are: no
import of the kit's, and pynq's own drivers. One for each kind, written here. A first cell, of which
such a notebook knows nothing, plugs in what it needs, and is the finger."""

import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from helpers import overlays
from helpers.kit import ROOT

pytestmark = pytest.mark.slow

BASE = "from pynq.overlays.base import BaseOverlay\nbase = BaseOverlay('base.bit')"
FINGER = """
import threading, virtual_board
board = virtual_board.activate()
def after(seconds, function, *arguments):
    threading.Timer(seconds, function, arguments).start()
"""
PLUG = FINGER + "from virtual_board.pmods import *\n"

# {kind: (first cell, (source, what it prints), ...)}
NOTEBOOKS = {
    "LEDs, buttons and switches": (
        FINGER,
        (BASE, ""),
        ("base.leds[0].on(); base.leds[3].toggle(); base.leds_gpio.read()", "9"),
        (
            "import time\nfrom pynq.lib import RGBLED\n"
            "for color in range(8):\n    RGBLED(4).write(color)\n    time.sleep(0.01)\n"
            "RGBLED(4).read()",
            "7",
        ),
        (
            "after(0.3, board.buttons[2].press)\nwhile base.buttons.read() == 0:\n    pass\n"
            "base.leds[0:4].write(base.buttons.read()); base.leds_gpio.read()",
            "4",
        ),
        ("after(0.2, board.switches[0].on)\nbase.switches[0].wait_for_value(1)", ""),
        ("base.leds_gpio.register_map.GPIO_DATA = 6\nhex(base.leds_gpio.read())", "'0x6'"),
    ),
    "asyncio": (
        FINGER,
        (BASE + "\nimport asyncio", ""),
        (
            "async def count(number, seen):\n    while True:\n"
            "        await base.buttons[number].wait_for_value_async(1)\n"
            "        seen.append(number)\n"
            "        await base.buttons[number].wait_for_value_async(0)",
            "",
        ),
        ("seen = []\ntasks = [asyncio.ensure_future(count(n, seen)) for n in range(4)]", ""),
        ("for n in range(4):\n    after(0.1 + 0.4 * n, board.buttons[n].press, 0.2)", ""),
        ("await asyncio.sleep(2.5)\nsorted(seen)", "[0, 1, 2, 3]"),
        ("[task.cancel() for task in tasks]", "[True, True, True, True]"),
    ),
    "the overlay, clocks and allocate": (
        FINGER,
        (BASE, ""),
        ("base.download(); base.is_loaded()", "True"),
        ("from pynq import PL\nPL.bitfile_name == base.bitfile_name", "True"),
        ("sorted(base.ip_dict)[:2]", "['btns_gpio', 'leds_gpio']"),
        ("from pynq import Clocks\nf'{Clocks.fclk0_mhz:.1f} {Clocks.cpu_mhz:.0f}'", "'100.0 650'"),
        ("import numpy as np\nfrom pynq import allocate\nbuffer = allocate((8, 8), np.uint16)", ""),
        ("buffer[:] = 5\nint(buffer.sum()), buffer.physical_address % 4096", "(320, 0)"),
    ),
    "a cell of C": (
        PLUG,
        (BASE, ""),
        ("%%microblaze base.PMODA\nint twice(int n) { return 2 * n; }", ""),
        ("twice(21)", "42"),
        (
            "%%microblaze base.PMODB\n#include <pyprintf.h>\n"
            'int count(int n) { for (int i = 0; i < n; i++) pyprintf("%d ", i); return n; }',
            "",
        ),
        ("count(3)", "0 1 2 3"),
        ("twice(5)", "10"),
        ("sensor = board.pmoda.plug(GroveAdc(Potentiometer(0.25)))", ""),
        (
            "from pynq.lib import MicroblazeLibrary\n"
            "lib = MicroblazeLibrary(base.PMODA, ['i2c', 'pmod_grove'])\n"
            "bus = lib.i2c_open(lib.PMOD_G4_B, lib.PMOD_G4_A)\nbuf = bytearray(2)\n"
            "bus.write(0x50, buf, 1)\nbus.read(0x50, buf, 2)\n"
            "((buf[0] & 0x0F) << 8) | buf[1]",
            "512",  # the module has half of the voltage measured
        ),
    ),
    "Pmods": (
        PLUG + "board.pmodb.plug(Tmp2(celsius=21.5)); panel = board.pmoda.plug(Oled())",
        (BASE + "\nfrom pynq.lib.pmod import Pmod_OLED, Pmod_TMP2", ""),
        ("thermometer = Pmod_TMP2(base.PMODB)\nthermometer.read()", "21.5"),
        (
            "import time\nthermometer.set_log_interval_ms(10)\nthermometer.start_log()\n"
            "time.sleep(1)\nlog = thermometer.get_log()\nset(log), len(log) > 3",
            "({21.5}, True)",
        ),
        ("Pmod_OLED(base.PMODA).write('Hello')", ""),
        ("lit = panel.picture()\nbool(lit[:8, :40].any()), int(lit[8:].sum())", "(True, 0)"),
    ),
    "voltages on the Arduino connector": (
        PLUG + "board.arduino.set_volts('A1', 1.5); board.arduino.plug(Potentiometer(1, 'A4'))",
        (BASE + "\nfrom pynq.lib.arduino import Arduino_Analog", ""),
        (
            "pins = Arduino_Analog(base.ARDUINO, [1, 4])\n[round(v, 1) for v in pins.read()]",
            "[1.5, 3.3]",
        ),
        (
            "import time\npins.set_log_interval_ms(10)\npins.start_log()\ntime.sleep(1)\n"
            "log = pins.get_log()\n[round(values[0], 1) for values in log]",
            "[1.5, 3.3]",
        ),
    ),
    "C for an Arduino shield": (
        PLUG + "led = board.arduino.plug(Led(5))\n"
        "board.arduino.plug(Imu()).acceleration = [0.5, 0, -1]",
        (BASE, ""),
        (
            "%%microblaze base.ARDUINO\n#include <gpio.h>\n#include <i2c.h>\n"
            "int light(int level) {\n    gpio pin = gpio_open(5);\n"
            "    gpio_set_direction(pin, GPIO_OUT);\n    gpio_write(pin, level);\n"
            "    return 1;\n}\n"
            "short axis(int number) {\n    unsigned char data[2] = {0x3B + 2 * number};\n"
            "    i2c bus = i2c_open_device(0);\n    i2c_write(bus, 0x68, data, 1);\n"
            "    i2c_read(bus, 0x68, data, 2);\n    return data[0] << 8 | data[1];\n}",
            "",
        ),
        ("light(1)\nled", "<virtual Led: on>"),
        ("[axis(number) / 16384 for number in range(3)]", "[0.5, 0.0, -1.0]"),
    ),
    "MMIO, GPIO and DMA of an overlay": (
        FINGER,
        ("from pynq import GPIO, MMIO, Overlay, allocate\ndesign = Overlay({!r})", ""),
        ("lights = MMIO(design.ip_dict['lights']['phys_addr'], 0x10000)\nlights.read(0)", "2"),
        (
            "from pynq.lib import AxiGPIO\nleds = AxiGPIO(design.ip_dict['lights']).channel1\n"
            "leds[0:4].write(0x5); leds.read(), lights.read(0)",
            "(5, 5)",
        ),
        ("[GPIO(GPIO.get_gpio_pin(n), 'in').read() for n in (1, 2, 3, 4)]", "[1, 0, 1, 0]"),
        (
            "sent, received = (allocate((64,), 'u4') for _ in range(2))\nsent[:] = range(64)\n"
            "dma = design.direct\ndma.sendchannel.transfer(sent)\n"
            "dma.recvchannel.transfer(received)\ndma.sendchannel.wait()\n"
            "dma.recvchannel.wait()\nbool((received == sent).all())",
            "True",
        ),
    ),
}


def shown(cell):
    texts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in cell.outputs]
    return "".join(texts)


@pytest.mark.parametrize("kind", NOTEBOOKS)
def test_it_runs_as_it_is(kind, tmp_path):
    first, *cells = NOTEBOOKS[kind]
    bit = overlays.write(overlays.board_design(), tmp_path)
    sources = [first] + [source.replace("{!r}", repr(bit)) for source, _ in cells]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(ROOT)}}
    # not by TCP ports, which another kernel that starts at the same time may take
    kernel = AsyncKernelManager(transport="ipc")
    client = NotebookClient(notebook, km=kernel, timeout=120, resources=resources)
    client.execute(cleanup_kc=True)
    found = [shown(cell).rstrip("\n") for cell in notebook.cells[1:]]
    assert found == [prints for _, prints in cells]
