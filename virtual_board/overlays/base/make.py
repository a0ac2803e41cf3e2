"""Writes the descriptions of the base overlay beside this file, Pynq-Z1/base.hwh and
Pynq-Z2/base.hwh:

    .venv/bin/python -m virtual_board.overlays.base.make

Names, addresses, parameters and wires are those of base.tcl (boards/Pynq-Z1/base and Pynq-Z2/base
in PYNQ's repository), without video, audio and trace analyzers, and what only leads clocks."""

from pathlib import Path

from virtual_board.hwh_writer import SYSTEM, Hwh

GPIO = "xilinx.com:ip:axi_gpio:2.0"
IIC, SPI = "xilinx.com:ip:axi_iic:2.1", "xilinx.com:ip:axi_quad_spi:3.2"
TIMER, UART = "xilinx.com:ip:axi_timer:2.0", "xilinx.com:ip:axi_uartlite:2.0"
INTC, SWITCH = "xilinx.com:ip:axi_intc:4.1", "xilinx.com:user:io_switch:1.1"
# IPs of an IOP: base address
GPIO_AT, INTR_AT, UART_AT, IIC_AT = 0x40000000, 0x40010000, 0x40600000, 0x40800000
INTC_AT, TIMER_AT, SPI_AT, SWITCH_AT = 0x41200000, 0x41C00000, 0x44A10000, 0x44A20000
NEXT = 0x10000
# which pin of the IP leads to which of the IO switch; {} is a number, if there are several
TO_SWITCH = {
    GPIO: {"gpio_io_i": "gpio_data_i", "gpio_io_o": "gpio_data_o", "gpio_io_t": "gpio_tri_o"},
    IIC: {f"{line}_{way}": line + "{}_" + way for line in ("scl", "sda") for way in "iot"},
    SPI: {
        **{f"io0_{way}": "mosi{}_" + way for way in "iot"},
        **{f"io1_{way}": "miso{}_" + way for way in "iot"},
        **{f"sck_{way}": "sck{}_" + way for way in "iot"},
        **{f"ss_{way}": "ss{}_" + way for way in "ot"},
    },
    UART: {"rx": "uart{}_rx_i", "tx": "uart{}_tx_o"},
}
CHANNEL = {
    name: (offset, {f"Channel_{number}_{name.replace('2', '')}": (0, 32)})
    for name, offset, number in [
        ("GPIO_DATA", 0x0, 1),
        ("GPIO_TRI", 0x4, 1),
        ("GPIO2_DATA", 0x8, 2),
        ("GPIO2_TRI", 0xC, 2),
    ]
}
GPIO_REGISTERS = {
    **CHANNEL,
    "GIER": (0x11C, {"Global_Interrupt_Enable": (31, 1)}),
    "IP_IER": (0x128, {"Channel_1_Interrupt_Enable": (0, 1), "Channel_2_Interrupt_Enable": (1, 1)}),
    "IP_ISR": (0x120, {"Channel_1_Interrupt_Status": (0, 1), "Channel_2_Interrupt_Status": (1, 1)}),
}


class Iop:
    """An I/O processor of a design, with what all of them have.

    Args:
        memory: Where Linux reaches its memory.
        number: Of its EMIO pin for reset; that of the acknowledgement is 4 more.
        pins: Of its IO switch, which is called switch.
        switch_reset: Whether the IOP's reset pin resets that, too."""

    def __init__(self, design, name, memory, number, pins, switch="io_switch", switch_reset=False):
        self.design, self.name, self.switch = design, name, f"{name}/{switch}"
        self.mb, self.reset = f"{name}/mb", f"{name}/rst_clk_wiz_1_100M"
        design.add(f"{name}/mb_bram_ctrl", "xilinx.com:ip:axi_bram_ctrl:4.1")
        block = dict(ADDRESSBLOCK="Mem0", MEMTYPE="MEMORY")
        design.reach(f"{name}/mb_bram_ctrl", memory, **block)
        design.add(self.mb, "xilinx.com:ip:microblaze:11.0")
        design.add(self.reset, "xilinx.com:ip:proc_sys_reset:5.0")
        design.wire(f"{self.reset}.mb_reset", f"{self.mb}.Reset", kind="rst")
        local = f"{name}/lmb/lmb_bram_if_cntlr"
        design.add(local, "xilinx.com:ip:lmb_bram_if_cntlr:4.0")
        self._reach(local, 0, "SLMB", by="DLMB", ADDRESSBLOCK="Mem", MEMTYPE="MEMORY")
        ddr = dict(ADDRESSBLOCK="GP0_DDR_LOWOCM", MEMTYPE="MEMORY", size=0x20000000)
        self._reach(SYSTEM, 0x20000000, "S_AXI_GP0", **ddr)
        # its interrupt to Linux
        flip_flop = f"{name}/dff_en_reset_vector_0"
        design.add(flip_flop, "xilinx.com:user:dff_en_reset_vector:1.0")
        self.add("intr", GPIO, INTR_AT, with_reset=False, C_GPIO_WIDTH=1, C_ALL_OUTPUTS=1)
        design.wire(f"{name}/intr.gpio_io_o", f"{flip_flop}.en")
        design.emio(f"mb_{name}_reset", number, f"{self.reset}.aux_reset_in")
        design.emio(f"mb_{name}_intr_ack", 4 + number, f"{flip_flop}.reset")
        self.add(switch, SWITCH, SWITCH_AT, with_reset=switch_reset, C_IO_SWITCH_WIDTH=pins)

    def _reach(self, name, base, bus="S_AXI", by="M_AXI_DP", **block):
        self.design.reach(name, base, bus=bus, master=self.mb, by=by, **block)

    def add(self, name, vlnv, base, with_reset=True, switched=None, **parameters):
        """Adds a peripheral.

        Args:
            with_reset: Whether the IOP's reset pin resets it.
            switched: Which of its kind it is on the IO switch; None if it is not there."""
        full = f"{self.name}/{name}"
        self.design.add(full, vlnv, parameters)
        self._reach(full, base, {SPI: "AXI_LITE", INTC: "s_axi"}.get(vlnv, "S_AXI"))
        if with_reset:
            reset = f"{self.reset}.peripheral_aresetn"
            self.design.wire(reset, f"{full}.s_axi_aresetn", kind="rst")
        for pin, of_switch in TO_SWITCH[vlnv].items() if switched is not None else ():
            width = parameters.get("C_GPIO_WIDTH", 1)
            ends = f"{full}.{pin}", f"{self.switch}.{of_switch.format(switched)}"
            into_ip = pin.endswith("_i") or pin == "rx"
            self.design.wire(*(ends[::-1] if into_ip else ends), width=width)
        return full

    def timers(self, number, with_reset):
        """Adds timers, whose PWM signals go to the IO switch together. Returns their names.

        Args:
            with_reset: How many of them the IOP's reset pin resets: the first ones."""
        group, names = "timers_subsystem", []
        for n in range(number):
            at = TIMER_AT + n * NEXT
            names.append(self.add(f"{group}/timer_{n}", TIMER, at, with_reset=n < with_reset))
        outputs = [f"{name}.pwm0" for name in names]
        self.design.concatenate(f"{self.name}/{group}/pwm", outputs, f"{self.switch}.pwm_o")
        return names

    def timer_pins(self, *counters):
        """Leads timers' other signals to the IO switch. counters: (name of a timer, 0 or 1)"""
        inside = f"{self.name}/timers_subsystem"
        for n, (name, counter) in enumerate(counters):
            capture = f"{inside}/capture_{n}"
            self.design.add(capture, "xilinx.com:ip:xlslice:1.0", {"DIN_FROM": n, "DIN_TO": n})
            self.design.wire(f"{self.switch}.timer_i", f"{capture}.Din", width=len(counters))
            self.design.wire(f"{capture}.Dout", f"{name}.capturetrig{counter}")
        outputs = [f"{name}.generateout{counter}" for name, counter in counters]
        self.design.concatenate(f"{inside}/generate", outputs, f"{self.switch}.timer_o")

    def interrupts(self, kinds, *outputs):
        """Adds the interrupt controller of its MicroBlaze. kinds: C_KIND_OF_INTR"""
        number = len(outputs)
        parameters = dict(C_KIND_OF_INTR=f"0x{kinds:08x}", C_NUM_INTR_INPUTS=number)
        intc = self.add("intc", INTC, INTC_AT, **parameters)
        self.design.concatenate(f"{self.name}/intr_concat", outputs, f"{intc}.intr")
        self.design.wire(f"{intc}.irq", f"{self.mb}.Interrupt")


def pmod(design, name, memory, number):
    iop = Iop(design, name, memory, number, 8)
    iop.add("gpio", GPIO, GPIO_AT, switched=0, C_GPIO_WIDTH=8)
    iic = iop.add("iic", IIC, IIC_AT, switched=0)
    spi = iop.add("spi", SPI, SPI_AT, switched=0, C_NUM_SS_BITS=1, C_FIFO_DEPTH=16)
    timer = iop.add("timer", TIMER, TIMER_AT)
    design.wire(f"{timer}.generateout0", f"{iop.switch}.timer_o")
    design.wire(f"{timer}.pwm0", f"{iop.switch}.pwm_o")
    design.wire(f"{iop.switch}.timer_i", f"{timer}.capturetrig0")
    outputs = f"{iic}.iic2intc_irpt", f"{spi}.ip2intc_irpt", f"{timer}.interrupt"
    iop.interrupts(0xFFFFFFFA, *outputs)


def arduino(design, name, memory, number):
    iop = Iop(design, name, memory, number, 20, "io_switch_0", switch_reset=True)
    iop.add("gpio_subsystem/ck_gpio", GPIO, GPIO_AT, C_GPIO_WIDTH=16)
    pins = dict(C_GPIO_WIDTH=20, C_INTERRUPT_PRESENT=1)
    gpio = iop.add("gpio_subsystem/arduino_gpio", GPIO, GPIO_AT + 2 * NEXT, switched=0, **pins)
    uart = iop.add("uartlite", UART, UART_AT, with_reset=False, switched=0)
    iic = iop.add("iic_subsystem/iic_direct", IIC, IIC_AT)
    fifo = dict(C_NUM_SS_BITS=1, C_FIFO_DEPTH=16)
    at = SPI_AT - NEXT
    shared = iop.add("spi_subsystem/spi_shared", SPI, at, with_reset=False, switched=0, **fifo)
    direct = iop.add("spi_subsystem/spi_direct", SPI, SPI_AT, **fifo)
    iop.add("xadc", "xilinx.com:ip:xadc_wiz:3.3", SWITCH_AT + NEXT, with_reset=False)
    timers = iop.timers(6, 6)
    # two have pins for their second counter, too
    iop.timer_pins(*((timer, 0) for timer in timers), (timers[1], 1), (timers[2], 1))
    iop.interrupts(
        0xFFFFFB80,
        *(f"{timer}.interrupt" for timer in timers),
        f"{iic}.iic2intc_irpt",
        *(f"{spi}.ip2intc_irpt" for spi in (direct, shared)),
        *(f"{uart}.interrupt", f"{gpio}.ip2intc_irpt"),
    )


def raspberry_pi(design, name, memory, number):
    iop = Iop(design, name, memory, number, 28)
    gpio = iop.add("rpi_gpio", GPIO, GPIO_AT, switched=0, C_GPIO_WIDTH=28, C_INTERRUPT_PRESENT=1)
    uart = iop.add("uartlite", UART, UART_AT, with_reset=False, switched=0)
    # the IOP's reset pin resets the first of each alone
    numbers = range(2)
    spis = [
        iop.add(
            f"spi_subsystem/spi_{n}",
            SPI,
            SPI_AT - n * NEXT,
            with_reset=n == 0,
            switched=n,
            C_NUM_SS_BITS=1,
            C_FIFO_DEPTH=16,
        )
        for n in numbers
    ]
    iics = [
        iop.add(f"iic_subsystem/iic_{n}", IIC, IIC_AT + n * NEXT, with_reset=n == 0, switched=n)
        for n in numbers
    ]
    outputs = [f"{iic}.iic2intc_irpt" for iic in iics] + [f"{spi}.ip2intc_irpt" for spi in spis]
    outputs += [f"{uart}.interrupt", f"{gpio}.ip2intc_irpt"]
    timers = iop.timers(2, 1)
    iop.interrupts(0xFFFFFFFF, *outputs, *(f"{timer}.interrupt" for timer in timers))


# name, port of the fabric, width, address, whether it has only outputs
PARTS = [
    ("switches_gpio", "sws_2bits", 2, 0x41200000, False),
    ("btns_gpio", "btns_4bits", 4, 0x41210000, False),
    ("rgbleds_gpio", "rgbleds_6bits", 6, 0x41240000, True),
    ("leds_gpio", "leds_4bits", 4, 0x41250000, True),
]


def base(board):
    """The description of a board's base overlay as text. board: "Pynq-Z1" or "Pynq-Z2" """
    design = Hwh("base")
    pmod(design, "iop_pmoda", 0x40000000, 0)
    pmod(design, "iop_pmodb", 0x42000000, 1)
    arduino(design, "iop_arduino", 0x44000000, 2)
    iops = ["iop_pmoda", "iop_pmodb", "iop_arduino"]
    if board == "Pynq-Z2":
        raspberry_pi(design, "iop_rpi", 0x46000000, 3)
        iops.append("iop_rpi")
        design.emio("pmoda_rp_pin_sel", 8)
    for name, port, width, at, is_output in PARTS:
        way = "OUT" if is_output else "IN"
        parameters = {"C_GPIO_WIDTH": width, f"C_ALL_{way}PUTS": 1}
        design.add(name, GPIO, {**parameters, "C_INTERRUPT_PRESENT": int(not is_output)})
        design.reach(name, at)
        design.registers(name, CHANNEL if is_output else GPIO_REGISTERS)
        end, direction = ("o", "O") if is_output else ("i", "I")
        design.external(f"{port}_tri_{end}", f"{name}.gpio_io_{end}", direction, width)
    design.add("system_interrupts", INTC, {"C_NUM_INTR_INPUTS": len(iops) + 2})
    design.reach("system_interrupts", 0x41800000, bus="s_axi")
    outputs = [f"{iop}/dff_en_reset_vector_0.q" for iop in iops]
    outputs += ["btns_gpio.ip2intc_irpt", "switches_gpio.ip2intc_irpt"]
    design.concatenate("concat_interrupts", outputs, "system_interrupts.intr")
    design.wire("system_interrupts.irq", f"{SYSTEM}.IRQ_F2P")
    return design.text()


if __name__ == "__main__":
    for board in "Pynq-Z1", "Pynq-Z2":
        folder = Path(__file__).parent / board
        folder.mkdir(exist_ok=True)
        (folder / "base.hwh").write_text(base(board))
        print(f"wrote {folder / 'base.hwh'}")
