"""What an overlay contains, as plain data, from its .hwh.

Where Linux reaches something is taken from pynq's parser, so that the board and pynq's drivers
agree on it: addresses and EMIO pins. pynq leaves out what only a MicroBlaze reaches, and keeps one
address of an IP that two masters reach. So the rest is read from the file itself: parameters,
interrupts, streams, and of an IOP's MicroBlaze the memory map and the wires."""

import re
from collections import namedtuple

from .memory import DDR_SIZE

# IPs by their VLNV without the version
MICROBLAZE = "xilinx.com:ip:microblaze"
PROCESSING_SYSTEM = "xilinx.com:ip:processing_system7"
GPIO = "xilinx.com:ip:axi_gpio"
BRAM_CONTROLLER = "xilinx.com:ip:axi_bram_ctrl"
LOCAL_MEMORY = "xilinx.com:ip:lmb_bram_if_cntlr"
INTERRUPT_CONTROLLER = "xilinx.com:ip:axi_intc"
CONCATENATION = "xilinx.com:ip:xlconcat"
RESET = "xilinx.com:ip:proc_sys_reset"
FLIP_FLOP = "xilinx.com:user:dff_en_reset_vector"
IO_SWITCH = "xilinx.com:user:io_switch"
ADDRESS_REMAP = "user.org:user:address_remap"  # boards/ip in PYNQ's repository

# pynq takes a hierarchy with a memory of this name for an IOP (MicroblazeHierarchy).
IOP_MEMORY = "mb_bram_ctrl"
# the boards' connectors, as pins of the FPGA are named after them, and how many pins each has
CONNECTORS = {"pmoda": 8, "pmodb": 8, "arduino": 20, "rpi": 28}
# UG585, "Address Map": M_AXI_GP0 and M_AXI_GP1 of the processing system
REACHED = 0x40000000, 0xC0000000
# UG585, "PPI and SPI Interrupts": the numbers of IRQ_F2P
RAW_IRQS = *range(61, 69), *range(84, 92)
AXI_STREAM = "xilinx.com:interface:axis"
DRIVERS = "MASTER", "INITIATOR"  # the types of bus interfaces that send
# pins of an AXI GPIO and their channels
GPIO_PINS = {f"gpio{n}_io_{way}": int(n or 1) for n in ("", "2") for way in "iot"}

Window = namedtuple("Window", "base size physical")
Window.__doc__ = "DDR as a MicroBlaze sees it: its address, bytes, and the physical address."
# as every stock image has it; for a .hwh that leaves out the MicroBlaze, as an installed tutorial's
STOCK_WINDOW = Window(0x20000000, DDR_SIZE, 0)


OF_AN_IP = "name vlnv base size parameters interrupts wires reset_with_iop streams stream_width"


class Ip(namedtuple("Ip", OF_AN_IP)):
    """An IP with registers or memory, or with AXI streams.

    name: full name, as "leds_gpio" or "iop_arduino/timers_subsystem/timer_0"
    base, size: where its master reaches it, in bytes; None for one that has only streams
    parameters: {name: text}
    interrupts: {output: (full name of an interrupt controller, its input)}; of an output that leads
        to the processing system itself, ("", the number of Linux's interrupt)
    wires: {pin: ((full name of another part, its pin), ...)}, without buses, clocks and resets;
        empty for what Linux reaches
    reset_with_iop: whether an IOP's reset pin resets it beside the MicroBlaze
    streams: {AXI stream output: full name of the IP that it leads to}
    stream_width: bytes that its first stream carries at once; both are not read inside an IOP"""

    __slots__ = ()

    @property
    def kind(self):
        """Its VLNV without the version."""
        return self.vlnv.rpartition(":")[0]

    def parameter(self, name, default=0):
        """The number that a parameter has, under this name or in small letters, as Vivado also
        writes it; the default if the description does not give it. ValueError if it is none."""
        value = self.parameters.get(name, self.parameters.get(name.lower(), default))
        try:
            return int(str(value), 0)
        except ValueError:
            raise ValueError(
                f"In the .hwh, {self.name} has {name} = {value!r}, and that is a number: write the"
                " .hwh anew from Vivado."
            ) from None


class Iop(
    namedtuple(
        "Iop", "name memory local_size reset acknowledge interrupt flip_flop ips windows connector"
    )
):
    """An I/O processor: a hierarchy with a MicroBlaze.

    name: full name of the hierarchy
    memory: the Ip by which Linux reaches its program memory
    local_size: bytes of that memory, which the MicroBlaze sees from 0 on
    reset, acknowledge: EMIO pins, active high; None if nothing drives it
    interrupt: where its interrupt leads, as in Ip.interrupts, or None
    flip_flop: full name of what keeps the interrupt until it is acknowledged, or None
    ips: [Ip, ...] that its MicroBlaze reaches, by address
    windows: [Window, ...] through which its MicroBlaze reaches DDR
    connector: the name in CONNECTORS of the one its IO switch leads to, or None"""

    __slots__ = ()


class Overlay(namedtuple("Overlay", "ips iops others ports emio_inputs")):
    """What is in the fabric.

    ips: [Ip, ...] that Linux reaches, by address, without the memories of IOPs
    iops: [Iop, ...], by the address of their memory
    others: [Ip, ...] with nothing but AXI streams
    ports: {(full name of an AXI GPIO, its channel): the fabric's port that it leads to, as
        "leds_4bits"}
    emio_inputs: for each EMIO pin of the processing system (full name of the IP that drives it, its
        output, the bit of that), or None"""

    __slots__ = ()


def check_family(root):
    """ValueError if a .hwh is for a chip of another family. root: as ElementTree has it"""
    system = root.find("SYSTEMINFO")
    family = "zynq" if system is None else (system.get("ARCH") or "zynq").lower()
    if family != "zynq":
        raise ValueError(
            f"it is for a chip of the family {family}, and a PYNQ-Z1 or PYNQ-Z2 has a zynq"
        )


def read(root, parser):
    """The Overlay that a .hwh describes.

    Args:
        root: Of the .hwh, as ElementTree has it.
        parser: What pynq's parser has read in it.
    Raises:
        LookupError, TypeError, ValueError: It is no description of an overlay that can be."""
    overlay = _Reader(root, parser).overlay()
    _check_addresses(overlay.ips + [iop.memory for iop in overlay.iops])
    return overlay


def _check_addresses(ips):
    before = None
    for ip in sorted(ips, key=lambda ip: ip.base):
        if not REACHED[0] <= ip.base < ip.base + ip.size <= REACHED[1]:
            raise ValueError(
                f"{ip.name} is at {ip.base:#x} to {ip.base + ip.size - 1:#x}, and Linux reaches the"
                f" fabric at {REACHED[0]:#x} to {REACHED[1] - 1:#x}"
            )
        if before is not None and before.base + before.size > ip.base:
            raise ValueError(f"{before.name} and {ip.name} are both at {ip.base:#x}")
        before = ip


class _Reader:
    def __init__(self, root, parser):
        self._root, self._parser = root, parser
        modules = list(root.iter("MODULE"))
        self._modules = {_name(module): module for module in modules}
        # a .hwh's connections and memory maps name a module by its instance
        self._names = {module.get("INSTANCE"): _name(module) for module in modules}
        self._stream_inputs = {}  # {bus: full name of what it leads to}
        for name, module in self._modules.items():
            for bus in _streams(module):
                if bus.get("TYPE") not in DRIVERS:
                    self._stream_inputs[bus.get("BUSNAME")] = name
        # {name of a pin of the FPGA: [the instances that it leads to]}
        self._outside = {
            port.get("NAME"): [end.get("INSTANCE") for end in port.iter("CONNECTION")]
            for port in root.iterfind("EXTERNALPORTS/PORT")
        }

    def overlay(self):
        parts = {**self._parser.ip_dict, **self._parser.mem_dict}
        parts = {n: part for n, part in parts.items() if part.get("phys_addr") is not None}
        self._linux_inputs = self._inputs_of_linux(parts)
        reached = sorted((self._reached(*part) for part in parts.items()), key=lambda ip: ip.base)
        memories = [ip for ip in reached if self._is_of_an_iop(ip)]
        streaming = [name for name, module in self._modules.items() if list(_streams(module))]
        others = [self._described(name, None, None) for name in streaming if name not in parts]
        ips = [ip for ip in reached if ip not in memories]
        iops = _with_connectors(list(map(self._iop, memories)))
        return Overlay(ips, iops, others, self._ports(), self._emio_in())

    def _inputs_of_linux(self, parts):
        """{(full name, output): where its interrupt leads, as in Ip.interrupts}"""
        inputs = {}
        for system in self._those(PROCESSING_SYSTEM):
            for pin, end in enumerate(self._drivers(_port(system, "IRQ_F2P"))):
                if end is not None and pin < len(RAW_IRQS):
                    inputs[end[:2]] = "", RAW_IRQS[pin]
        for name in parts:
            module = self._modules.get(name)
            if module is not None and _kind(module) == INTERRUPT_CONTROLLER:
                inputs.update(self._inputs(module))
        return inputs

    def _reached(self, name, part):
        return self._described(name, part["phys_addr"], part["addr_range"])

    def _described(self, name, base, size):
        module = self._modules[name]
        outputs = [port.get("NAME") for port in module.iter("PORT")]
        ends = {pin: self._linux_inputs.get((name, pin)) for pin in outputs}
        interrupts = {pin: end for pin, end in ends.items() if end}
        streams = {
            bus.get("NAME"): self._stream_inputs[bus.get("BUSNAME")]
            for bus in _streams(module)
            if bus.get("TYPE") in DRIVERS and bus.get("BUSNAME") in self._stream_inputs
        }
        widths = [_parameters(bus).get("TDATA_NUM_BYTES") for bus in _streams(module)]
        width = next((int(width) for width in widths if width in ("1", "2", "4", "8")), 4)
        at, known = (base, size), (_parameters(module), interrupts, {}, False)
        return Ip(name, module.get("VLNV"), *at, *known, streams, width)

    def _ports(self):
        found = {}
        for ports in self._root.iter("EXTERNALPORTS"):
            for port in ports:
                name = re.sub(r"_tri_i?o?t?$", "", port.get("NAME"))
                for end in port.iter("CONNECTION"):
                    at = self._names.get(end.get("INSTANCE")), GPIO_PINS.get(end.get("PORT"))
                    if None not in at and _kind(self._modules[at[0]]) == GPIO:
                        found[at] = name
        return found

    def _emio_in(self):
        systems = self._those(PROCESSING_SYSTEM)
        return self._drivers(_port(systems[0], "GPIO_I")) if systems else []

    def _those(self, kind):
        return [module for module in self._modules.values() if _kind(module) == kind]

    def _is_of_an_iop(self, ip):
        hierarchy, _, name = ip.name.rpartition("/")
        return bool(hierarchy) and name == IOP_MEMORY and ip.kind == BRAM_CONTROLLER

    def _iop(self, memory):
        name = memory.name.rpartition("/")[0]
        flip_flops, processors = self._inside(name, FLIP_FLOP), self._inside(name, MICROBLAZE)
        flip_flop = flip_flops[0] if flip_flops else None
        local_size, ips, windows = memory.size, [], [STOCK_WINDOW]
        if processors:
            local_size, ips, windows = self._map(self._modules[processors[0]], local_size)
        return Iop(
            name,
            memory,
            local_size,
            self._emio({f"{reset}/aux_reset_in" for reset in self._inside(name, RESET)}),
            self._emio({f"{flip_flop}/reset"}),
            self._linux_inputs.get((flip_flop, "q")),
            flip_flop,
            ips,
            windows,
            self._connector(self._inside(name, IO_SWITCH)),
        )

    def _inside(self, hierarchy, kind):
        return [
            name
            for name, module in self._modules.items()
            if name.startswith(hierarchy + "/") and _kind(module) == kind
        ]

    def _connector(self, switches):
        for pin, instances in self._outside.items():
            name = pin.partition("_")[0]
            if name in CONNECTORS and switches and switches[0] in map(self._names.get, instances):
                return name
        return None

    def _emio(self, inputs):
        """The EMIO pin that drives one of these inputs, or None."""
        for pin in self._parser.gpio_dict.values():
            if inputs & set(pin["pins"]):
                return pin["index"]
        return None

    # The inside of an IOP

    def _map(self, processor, local_size):
        """(bytes of local memory, IPs, windows to DDR) from a MicroBlaze's memory map."""
        ips, windows, inputs = [], [], {}
        for base, size, module, block in self._ranges(processor):
            kind = _kind(module)
            if kind == LOCAL_MEMORY:
                local_size = size
            elif kind in (PROCESSING_SYSTEM, ADDRESS_REMAP):
                if kind == ADDRESS_REMAP or "DDR" in block:
                    # Each passes on as many bits of an address as DDR needs.
                    windows.append(Window(base, size, base % DDR_SIZE))
            else:
                ips.append((base, size, module))
            if kind == INTERRUPT_CONTROLLER:
                inputs.update(self._inputs(module))
        resets = self._resets(processor)
        made = [self._within(base, size, module, inputs, resets) for base, size, module in ips]
        return local_size, sorted(made, key=lambda ip: ip.base), windows

    def _ranges(self, module):
        """Yields (address, bytes, what is there, its address block) of a module's memory map."""
        seen = set()
        for entry in module.iter("MEMRANGE"):
            base, name = int(entry.get("BASEVALUE"), 16), self._names.get(entry.get("INSTANCE"))
            # local memory is there twice: for instructions, and for data
            if name is not None and (base, name) not in seen:
                seen.add((base, name))
                size = int(entry.get("HIGHVALUE"), 16) - base + 1
                yield base, size, self._modules[name], entry.get("ADDRESSBLOCK") or ""

    def _within(self, base, size, module, inputs, resets):
        pins = {port.get("NAME"): self._connected(port) for port in module.iter("PORT")}
        name = _name(module)
        interrupts = {pin: inputs[name, pin] for pin in pins if (name, pin) in inputs}
        wires = {pin: ends for pin, ends in pins.items() if ends}
        reset_with_iop = bool(resets & self._resets(module))
        at, known = (base, size), (_parameters(module), interrupts, wires, reset_with_iop)
        return Ip(name, module.get("VLNV"), *at, *known, {}, 0)

    def _connected(self, port):
        """((full name, pin), ...) at the other end of a port's wires."""
        if port.get("SIGIS") in ("clk", "rst"):
            return ()
        ends = [
            (self._names.get(end.get("INSTANCE")), end.get("PORT"))
            for end in port.iter("CONNECTION")
        ]
        # the pins of an AXI bus end at an interconnect, as M05_AXI_awaddr
        return tuple(end for end in ends if end[0] and "_AXI_" not in end[1])

    def _resets(self, module):
        """The full names of the blocks that reset a module."""
        inputs = [port for port in module.iter("PORT") if port.get("SIGIS") == "rst"]
        ends = [
            self._names.get(end.get("INSTANCE")) for p in inputs for end in p.iter("CONNECTION")
        ]
        return {name for name in ends if name and _kind(self._modules[name]) == RESET}

    def _inputs(self, controller):
        """{(full name, output): (the controller's full name, its input)}"""
        ends = enumerate(self._drivers(_port(controller, "intr")))
        # of an output of several bits, the first
        return {end[:2]: (_name(controller), pin) for pin, end in ends if end and end[2] == 0}

    def _drivers(self, port):
        """[(full name, output, the bit of that), ...] that drive a port, bit by bit, through
        concatenations. None for a bit that nothing known drives."""
        found = []
        for name, pin in self._connected(port) if port is not None else ():
            module = self._modules[name]
            if _kind(module) != CONCATENATION:
                output = _port(module, pin)
                left = 0 if output is None else int(output.get("LEFT") or 0)
                found += [(name, pin, bit) for bit in range(left + 1)]
                continue
            widths = _parameters(module)
            for number in range(int(widths.get("NUM_PORTS", 0))):
                bits = self._drivers(_port(module, f"In{number}"))
                missing = int(widths.get(f"IN{number}_WIDTH", 1)) - len(bits)
                found += bits + [None] * missing
        return found


def _with_connectors(iops):
    """The IOPs, each of which leads to a connector: by the number of its pins, if the file does not
    say which, as the tutorial's does not."""
    free = [name for name in CONNECTORS if name not in [iop.connector for iop in iops]]
    found = []
    for iop in iops:
        widths = [ip.parameter("C_IO_SWITCH_WIDTH", 8) for ip in iop.ips if ip.kind == IO_SWITCH]
        fits = [name for name in free if CONNECTORS[name] == (widths or [8])[0]]
        if iop.connector is None and fits:
            free.remove(fits[0])
            iop = iop._replace(connector=fits[0])
        found.append(iop)
    return found


def _name(module):
    return module.get("FULLNAME").lstrip("/")


def _port(module, name):
    return next((port for port in module.iter("PORT") if port.get("NAME") == name), None)


def _streams(module):
    """The bus interfaces of a module that are AXI streams, and are connected."""
    for bus in module.iter("BUSINTERFACE"):
        if (bus.get("VLNV") or "").rpartition(":")[0] == AXI_STREAM:
            if bus.get("BUSNAME") not in (None, "__NOC__"):
                yield bus


def _parameters(element):
    """{name: text} of a module or a bus interface."""
    return {one.get("NAME"): one.get("VALUE") for one in element.iter("PARAMETER")}


def _kind(module):
    return (module.get("VLNV") or "").rpartition(":")[0]
