"""Small overlays for tests of what Linux reaches, described as pynq reads them."""

from virtual_board.hwh_writer import SYSTEM, Hwh

GPIO, INTC = "xilinx.com:ip:axi_gpio:2.0", "xilinx.com:ip:axi_intc:4.1"
DMA, FIFO = "xilinx.com:ip:axi_dma:7.1", "xilinx.com:ip:axis_data_fifo:2.0"
GPIO_REGISTERS = {
    name: (offset, {f"Channel_{channel}_{name}": (0, 4)})
    for name, offset, channel in [
        ("GPIO_DATA", 0x0, 1),
        ("GPIO_TRI", 0x4, 1),
        ("GPIO2_DATA", 0x8, 2),
        ("GPIO2_TRI", 0xC, 2),
    ]
}


def write(design, folder, name="design"):
    """Writes a Hwh into a folder; returns the path of the .bit that belongs to it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hwh").write_text(design.text())
    return str(folder / f"{name}.bit")


def gpio(design, name, base, **parameters):
    design.add(name, GPIO, {"C_GPIO_WIDTH": 4, **parameters})
    design.reach(name, base)
    design.registers(name, GPIO_REGISTERS)


def controller(design, name, base, outputs, **parameters):
    """Adds an interrupt controller. outputs: the pins that lead to its inputs, in order"""
    design.add(name, INTC, {"C_NUM_INTR_INPUTS": len(outputs), **parameters})
    design.reach(name, base, bus="s_axi")
    design.concatenate(f"{name}_inputs", outputs, f"{name}.intr")


def dma(design, name, base, gathers=0, width=14):
    """Adds a DMA whose names of parameters are those that pynq looks at."""
    both = {
        f"{prefix}_{what}": value
        for way in ("mm2s", "s2mm")
        for prefix, what, value in [
            ("c_include", way, 1),
            ("c_include", way + "_dre", 1),
            ("c_m_axi", way + "_data_width", 32),
        ]
    }
    more = {"c_include_sg": gathers, "c_sg_length_width": width}
    design.add(name, DMA, {**both, **more})
    design.reach(name, base, bus="S_AXI_LITE")


def loop(design, name):
    """Leads a DMA's streams through a FIFO back to it."""
    design.add(f"{name}_fifo", FIFO)
    design.stream(f"{name}.M_AXIS_MM2S", f"{name}_fifo.S_AXIS")
    design.stream(f"{name}_fifo.M_AXIS", f"{name}.S_AXIS_S2MM")


def board_design():
    """LEDs, buttons, a GPIO of two channels, a timer, DMAs with and without descriptors, memory,
    and an IP that the virtual board has no model of."""
    design = Hwh("parts")
    gpio(design, "lights", 0x41200000, C_ALL_OUTPUTS=1, C_DOUT_DEFAULT="0x00000002")
    design.external("leds_4bits_tri_o", "lights.gpio_io_o", "O", 4)
    gpio(design, "fingers", 0x41210000, C_ALL_INPUTS=1, C_INTERRUPT_PRESENT=1)
    design.external("btns_4bits_tri_i", "fingers.gpio_io_i", "I", 4)
    gpio(design, "both", 0x41220000, C_IS_DUAL=1, C_GPIO2_WIDTH=2, C_ALL_INPUTS_2=1)
    design.external("sws_2bits_tri_i", "both.gpio2_io_i", "I", 2)
    for name, base, gathers in ("direct", 0x40400000, 0), ("gathering", 0x40410000, 1):
        dma(design, name, base, gathers)
        loop(design, name)
    design.add("timer", "xilinx.com:ip:axi_timer:2.0")
    design.reach("timer", 0x42800000)
    # EMIO pins 0 and 1 to 4
    design.concatenate("to_emio", ["timer.interrupt", "lights.gpio_io_o"], f"{SYSTEM}.GPIO_I")
    design.add("xadc", "xilinx.com:ip:xadc_wiz:3.3")
    design.reach("xadc", 0x43C10000)
    design.add("memory", "xilinx.com:ip:axi_bram_ctrl:4.1")
    design.reach("memory", 0x40000000, 0x2000, ADDRESSBLOCK="Mem0", MEMTYPE="MEMORY")
    design.add("camera", "xilinx.com:ip:mipi_csi2_rx_subsystem:5.1")
    design.reach("camera", 0x43C00000)
    outputs = [
        "fingers.ip2intc_irpt",
        *(f"{name}.{way}_introut" for name in ("direct", "gathering") for way in ("mm2s", "s2mm")),
        "timer.interrupt",
    ]
    controller(design, "intc", 0x41800000, outputs)
    design.wire("intc.irq", f"{SYSTEM}.IRQ_F2P")
    return design
