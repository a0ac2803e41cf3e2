"""Writes an overlay's description, a .hwh, from names, addresses and wires: with no more in it than
pynq's parser and the virtual board read."""

import xml.etree.ElementTree as ElementTree
from xml.dom import minidom

AXI, AXI_STREAM = "xilinx.com:interface:aximm:1.0", "xilinx.com:interface:axis:1.0"
SYSTEM = "ps7_0"  # the processing system


class Hwh:
    """A design under way. Names are full names, such as "iop_pmoda/mb"; a pin is written
    "iop_pmoda/gpio.gpio_io_i".

    Args:
        name: Of the design.
        clocks: The divisors of FCLK0 to FCLK3, two each, from 1000 MHz (UG585, "Clocks")."""

    def __init__(self, name, clocks=((5, 2), (7, 1), (5, 1), (5, 2))):
        self._root = ElementTree.Element(
            "EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="2024.1"
        )
        ElementTree.SubElement(
            self._root, "SYSTEMINFO", ARCH="zynq", DEVICE="7z020", NAME=name, PACKAGE="clg400"
        )
        self._external = ElementTree.SubElement(self._root, "EXTERNALPORTS")
        ElementTree.SubElement(self._root, "EXTERNALINTERFACES")
        self._all = ElementTree.SubElement(self._root, "MODULES")
        self._modules, self._ports, self._buses = {}, {}, {}
        parameters = {}
        for number, divisors in enumerate(clocks):
            parameters[f"PCW_FPGA_FCLK{number}_ENABLE"] = 1
            for which, divisor in enumerate(divisors):
                parameters[f"PCW_FCLK{number}_PERIPHERAL_DIVISOR{which}"] = divisor
        system = self.add(SYSTEM, "xilinx.com:ip:processing_system7:5.5", parameters)
        system.set("IS_PL", "FALSE")
        self.pin(f"{SYSTEM}.GPIO_O", "O", 64)
        emio = self._bus(SYSTEM, "GPIO_0", "xilinx.com:interface:gpio:1.0", "INITIATOR", "__NOC__")
        maps = ElementTree.SubElement(emio, "PORTMAPS")
        ElementTree.SubElement(maps, "PORTMAP", LOGICAL="TRI_O", PHYSICAL="GPIO_O")

    def add(self, name, vlnv, parameters=None):
        """Adds an IP."""
        module = self._modules[name] = ElementTree.SubElement(
            self._all,
            "MODULE",
            FULLNAME="/" + name,
            INSTANCE=_instance(name),
            IS_ENABLE="1",
            MODTYPE=vlnv.split(":")[2],
            VLNV=vlnv,
        )
        for part in "ADDRESSBLOCKS", "PARAMETERS", "PORTS", "BUSINTERFACES", "MEMORYMAP":
            ElementTree.SubElement(module, part)
        for parameter, value in (parameters or {}).items():
            values = ElementTree.Element("PARAMETER", NAME=parameter, VALUE=str(value))
            module.find("PARAMETERS").append(values)
        return module

    def pin(self, pin, direction, width=1, kind="undef"):
        """Gives an IP a pin: "I" or "O", bits, and "rst" or "INTERRUPT" if it is for that."""
        name, _, port = pin.rpartition(".")
        made = self._ports[pin] = ElementTree.SubElement(
            self._modules[name].find("PORTS"),
            "PORT",
            DIR=direction,
            NAME=port,
            SIGIS=kind,
            SIGNAME=f"{_instance(name)}_{port}",
        )
        if width > 1:
            made.set("LEFT", str(width - 1))
            made.set("RIGHT", "0")
        ElementTree.SubElement(made, "CONNECTIONS")

    def wire(self, source, *ends, width=1, kind="undef"):
        """Connects an output with inputs."""
        if source not in self._ports:
            self.pin(source, "O", width, kind)
        for end in ends:
            if end not in self._ports:
                self.pin(end, "I", width, kind)
            self._connect(source, end)
            self._connect(end, source)
            self._ports[end].set("SIGNAME", self._ports[source].get("SIGNAME"))

    def _connect(self, pin, other):
        name, _, port = other.rpartition(".")
        connections = self._ports[pin].find("CONNECTIONS")
        ElementTree.SubElement(connections, "CONNECTION", INSTANCE=_instance(name), PORT=port)

    def external(self, port, pin, direction, width):
        """Leads a pin out of the chip, to a port of this name."""
        self.pin(pin, direction, width)
        made = ElementTree.SubElement(
            self._external, "PORT", DIR=direction, NAME=port, LEFT=str(width - 1), RIGHT="0"
        )
        self._ports[f"external.{port}"] = made
        ElementTree.SubElement(made, "CONNECTIONS")
        self._connect(f"external.{port}", pin)

    def concatenate(self, name, pins, output):
        """Adds an xlconcat that leads outputs, in this order, to one input."""
        vlnv, number = "xilinx.com:ip:xlconcat:2.1", {"NUM_PORTS": len(pins)}
        self.add(name, vlnv, number)
        for index, pin in enumerate(pins):
            self.wire(pin, f"{name}.In{index}")
        self.wire(f"{name}.dout", output, width=len(pins))

    def emio(self, name, pin, *ends):
        """Adds an xlslice that leads an EMIO pin to inputs."""
        self.add(name, "xilinx.com:ip:xlslice:1.0", {"DIN_FROM": pin, "DIN_TO": pin})
        self.wire(f"{SYSTEM}.GPIO_O", f"{name}.Din", width=64)
        self.wire(f"{name}.Dout", *ends)

    def reach(self, name, base, size=0x10000, bus="S_AXI", master=SYSTEM, by="M_AXI_GP0", **block):
        """Lets a master reach an IP at an address.

        Args:
            bus: The IP's bus interface, and by: the master's.
            block: ADDRESSBLOCK="Mem", MEMTYPE="MEMORY" if it is no registers."""
        path = f"{_instance(master)}_{by}"
        self._bus(name, bus, AXI, "SLAVE", path)
        self._bus(master, by, AXI, "MASTER", path)
        if master == SYSTEM:
            parameters = self._modules[name].find("PARAMETERS")
            for one, value in ("C_BASEADDR", base), ("C_HIGHADDR", base + size - 1):
                ElementTree.SubElement(parameters, "PARAMETER", NAME=one, VALUE=f"0x{value:08X}")
        ElementTree.SubElement(
            self._modules[master].find("MEMORYMAP"),
            "MEMRANGE",
            {
                "ADDRESSBLOCK": "Reg",
                "BASENAME": "C_BASEADDR",
                "BASEVALUE": f"0x{base:08X}",
                "HIGHNAME": "C_HIGHADDR",
                "HIGHVALUE": f"0x{base + size - 1:08X}",
                "INSTANCE": _instance(name),
                "MASTERBUSINTERFACE": by,
                "MEMTYPE": "REGISTER",
                "SLAVEBUSINTERFACE": bus,
                **block,
            },
        )

    def stream(self, source, end, width=4):
        """Leads an AXI stream, of some bytes at once, from one bus interface to another."""
        path = _instance(source.replace(".", "_"))
        for pin, kind in (source, "INITIATOR"), (end, "TARGET"):
            name, _, bus = pin.rpartition(".")
            interface = self._bus(name, bus, AXI_STREAM, kind, path)
            ElementTree.SubElement(interface, "PARAMETER", NAME="TDATA_NUM_BYTES", VALUE=str(width))

    def registers(self, name, registers, bus="S_AXI"):
        """Describes registers for pynq's register maps.

        Args:
            registers: {name: (offset, {field: (lowest bit, bits)})}"""
        block = ElementTree.SubElement(
            self._modules[name].find("ADDRESSBLOCKS"),
            "ADDRESSBLOCK",
            INTERFACE=bus,
            NAME="Reg",
            USAGE="register",
        )
        listed = ElementTree.SubElement(block, "REGISTERS")
        for register, (offset, fields) in registers.items():
            made = ElementTree.SubElement(listed, "REGISTER", NAME=register)
            _properties(made, ADDRESS_OFFSET=hex(offset), SIZE=32, IS_ENABLED="true")
            for field, (lowest, bits) in fields.items():
                part = ElementTree.SubElement(made, "FIELD", NAME=field)
                _properties(part, BIT_OFFSET=lowest, BIT_WIDTH=bits)

    def _bus(self, name, bus, vlnv, kind, path):
        """The bus interface of an IP, made if it is not there."""
        if (name, bus) not in self._buses:
            self._buses[name, bus] = ElementTree.SubElement(
                self._modules[name].find("BUSINTERFACES"),
                "BUSINTERFACE",
                BUSNAME=path,
                NAME=bus,
                TYPE=kind,
                VLNV=vlnv,
            )
        return self._buses[name, bus]

    def text(self):
        """All of it as XML."""
        return minidom.parseString(ElementTree.tostring(self._root)).toprettyxml("  ")


def _instance(name):
    return name.replace("/", "_")


def _properties(element, **values):
    for name, value in values.items():
        ElementTree.SubElement(element, "PROPERTY", NAME=name, VALUE=str(value))
