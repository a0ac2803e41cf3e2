"""What an overlay contains, as plain data, from its .hwh.

What Linux reaches is taken from pynq's parser, so that the board and pynq's drivers agree on it:
addresses, EMIO pins, inputs of interrupt controllers. pynq leaves out what only a MicroBlaze
reaches, and keeps one address of an IP that two masters reach. So the inside of an IOP is read from
the file itself: the memory map of its MicroBlaze, and its wires."""

import xml.etree.ElementTree as ElementTree
from collections import namedtuple

# IPs by their VLNV without the version
MICROBLAZE = "xilinx.com:ip:microblaze"
PROCESSING_SYSTEM = "xilinx.com:ip:processing_system7"
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
DDR_SIZE = 0x20000000  # bytes: the 512 MB of a PYNQ-Z1 or PYNQ-Z2

Window = namedtuple("Window", "base size physical")
Window.__doc__ = "DDR as a MicroBlaze sees it: its address, bytes, and the physical address."
# as every stock image has it; for a .hwh that leaves out the MicroBlaze, as an installed tutorial's
STOCK_WINDOW = Window(0x20000000, DDR_SIZE, 0)


class Ip(namedtuple("Ip", "name vlnv base size parameters interrupts wires reset_with_iop")):
    """An IP with registers or memory.

    name: full name, as "leds_gpio" or "iop_arduino/timers_subsystem/timer_0"
    base, size: where its master reaches it, in bytes
    parameters: {name: text}
    interrupts: {output: (full name of an interrupt controller, its input)}
    wires: {pin: ((full name of another part, its pin), ...)}, without buses, clocks and resets;
        empty for what Linux reaches
    reset_with_iop: whether an IOP's reset pin resets it beside the MicroBlaze"""

    __slots__ = ()

    @property
    def kind(self):
        """Its VLNV without the version."""
        return self.vlnv.rpartition(":")[0]

    def parameter(self, name, default=0):
        """The number that a parameter has; the default if the description does not give it."""
        return int(str(self.parameters.get(name, default)), 0)


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
    interrupt: (full name of an interrupt controller of Linux's, its input), or None
    flip_flop: full name of what keeps the interrupt until it is acknowledged, or None
    ips: [Ip, ...] that its MicroBlaze reaches, by address
    windows: [Window, ...] through which its MicroBlaze reaches DDR
    connector: the name in CONNECTORS of the one its IO switch leads to, or None"""

    __slots__ = ()


Overlay = namedtuple("Overlay", "ips iops")
Overlay.__doc__ = """What is in the fabric.

    ips: [Ip, ...] that Linux reaches, by address, without the memories of IOPs
    iops: [Iop, ...], by the address of their memory"""


def read(path, parser):
    """The Overlay that a .hwh describes.

    Args:
        path: Of the .hwh.
        parser: What pynq's parser has read in it.
    Raises:
        OSError, ElementTree.ParseError, LookupError, TypeError, ValueError: The file cannot be
            read, or is no description."""
    return _Reader(ElementTree.parse(path).getroot(), parser).overlay()


class _Reader:
    def __init__(self, root, parser):
        self._parser = parser
        modules = list(root.iter("MODULE"))
        self._modules = {_name(module): module for module in modules}
        # a .hwh's connections and memory maps name a module by its instance
        self._names = {module.get("INSTANCE"): _name(module) for module in modules}
        # {name of a pin of the FPGA: [the instances that it leads to]}
        self._outside = {
            port.get("NAME"): [end.get("INSTANCE") for end in port.iter("CONNECTION")]
            for port in root.iterfind("EXTERNALPORTS/PORT")
        }

    def overlay(self):
        parts = {**self._parser.ip_dict, **self._parser.mem_dict}
        reached = [
            self._reached(*part) for part in parts.items() if part[1].get("phys_addr") is not None
        ]
        reached.sort(key=lambda ip: ip.base)
        memories = [ip for ip in reached if self._is_of_an_iop(ip)]
        others = [ip for ip in reached if ip not in memories]
        return Overlay(others, _with_connectors(list(map(self._iop, memories))))

    def _reached(self, name, part):
        vlnv = part["type"]
        if name in self._parser.mem_dict:  # pynq says DDR4 of every memory
            vlnv = self._modules[name].get("VLNV")
        interrupts = {
            pin: (connected["controller"], connected["index"])
            for pin, connected in part["interrupts"].items()
        }
        at, parameters = (part["phys_addr"], part["addr_range"]), dict(part["parameters"])
        return Ip(name, vlnv, *at, parameters, interrupts, {}, False)

    def _is_of_an_iop(self, ip):
        hierarchy, _, name = ip.name.rpartition("/")
        return bool(hierarchy) and name == IOP_MEMORY and ip.kind == BRAM_CONTROLLER

    def _iop(self, memory):
        name = memory.name.rpartition("/")[0]
        flip_flops, processors = self._inside(name, FLIP_FLOP), self._inside(name, MICROBLAZE)
        flip_flop = flip_flops[0] if flip_flops else None
        pin = self._parser.interrupt_pins.get(f"{flip_flop}/q")
        local_size, ips, windows = memory.size, [], [STOCK_WINDOW]
        if processors:
            local_size, ips, windows = self._map(self._modules[processors[0]], local_size)
        return Iop(
            name,
            memory,
            local_size,
            self._emio({f"{reset}/aux_reset_in" for reset in self._inside(name, RESET)}),
            self._emio({f"{flip_flop}/reset"}),
            (pin["controller"], pin["index"]) if pin else None,
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
        at, parameters = (base, size), _parameters(module)
        return Ip(name, module.get("VLNV"), *at, parameters, interrupts, wires, reset_with_iop)

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
        wanted = [port for port in controller.iter("PORT") if port.get("NAME") == "intr"]
        outputs = [end for port in wanted for end in self._outputs(port)]
        return {end: (_name(controller), number) for number, end in enumerate(outputs)}

    def _outputs(self, port):
        """[(full name, output), ...] that drive a port, bit by bit, through concatenations."""
        found = []
        for name, pin in self._connected(port):
            module = self._modules[name]
            if _kind(module) != CONCATENATION:
                found.append((name, pin))
                continue
            widths = _parameters(module)
            inputs = {one.get("NAME"): one for one in module.iter("PORT")}
            for number in range(int(widths.get("NUM_PORTS", 0))):
                bits = self._outputs(inputs[f"In{number}"])
                # a constant of several bits is one end
                missing = int(widths.get(f"IN{number}_WIDTH", 1)) - len(bits)
                found += bits + [(None, None)] * missing
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


def _parameters(module):
    return {one.get("NAME"): one.get("VALUE") for one in module.iter("PARAMETER")}


def _kind(module):
    return (module.get("VLNV") or "").rpartition(":")[0]
