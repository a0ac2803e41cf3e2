#!/usr/bin/env python3
"""derive.py BASE FOLDER: makes the tutorial's overlay, pynq_tutorial.bit and .hwh in FOLDER, from a board's base overlay.

BASE: the base overlay's base.bit; base.hwh lies beside it. On a board both are in the pynq package, overlays/base/.

The .bit stays as it is: the base overlay already holds the IOP. The .hwh is what tells pynq about it, and keeps only what
the tutorial needs: the processing system, the IOP iop_pmoda by the name of iop1, and the way its interrupt takes. Both are
checked first; if something is wrong, one sentence says what, and nothing is written. Needs Python 3.6 and nothing else.
"""

import errno
import os
import struct
import sys
import xml.etree.ElementTree as ElementTree

DEVICE = "7z020"  # the Zynq of the PYNQ-Z1 and PYNQ-Z2
SYNC_WORD = b"\xaa\x99\x55\x66"  # begins the configuration data proper (Xilinx UG470, table 5-19)
STOCK_NAME, NAME = "iop_pmoda", "iop1"
DDR_WINDOW = (0x20000000, 0x3FFFFFFF)  # where the IOP's program takes DDR to be (mb_src/pynq_tutorial.c)
# Of the IOP, its memory, its interrupt and its reset are what pynq asks for. The MicroBlaze's own devices are not Linux's.
IOP_MODULES = {"/iop_pmoda/mb_bram_ctrl", "/iop_pmoda/dff_en_reset_vector_0", "/iop_pmoda/rst_clk_wiz_1_100M",
               "/mb_iop_pmoda_reset", "/mb_iop_pmoda_intr_ack"}
MICROBLAZE = "/iop_pmoda/mb"


class OverlayError(Exception):
    """A base overlay that the tutorial's cannot be made from; its text is one sentence for whoever installs."""


def check_bit(path):
    """Returns the bytes of a .bit file for the Zynq 7z020, or raises OverlayError.

    Its header is a list of fields: a length of two bytes and as many bytes for each but the last. "a": the design's name,
    "b": the part, "c": date, "d": time, each with that letter before its length; "e": the data, with a length of four bytes.
    """
    data = _read(path)
    fields, at = {}, 13  # the header's first 13 bytes are always the same
    try:
        while data[at:at + 1] in (b"a", b"b", b"c", b"d"):
            length, = struct.unpack_from(">H", data, at + 1)
            fields[data[at:at + 1]] = data[at + 3:at + 3 + length].rstrip(b"\0").decode("ascii")
            at += 3 + length
        length, = struct.unpack_from(">cI", data, at)[1:] if data[at:at + 1] == b"e" else (0,)
    except (struct.error, UnicodeDecodeError):
        length = 0
    if b"b" not in fields or not length:
        raise OverlayError("{} is no bitstream: its header names no part or no data. Take the base.bit of the board's "
                           "own image.".format(path))
    if not fields[b"b"].startswith(DEVICE):
        raise OverlayError("{} is for a {}, and a PYNQ-Z1 or PYNQ-Z2 has a {}: take the base.bit of the board's own "
                           "image.".format(path, fields[b"b"], DEVICE))
    if len(data) - at - 5 != length or SYNC_WORD not in data[at + 5:at + 5 + 256]:
        raise OverlayError("{} is damaged: its header announces {} bytes of configuration, and {} follow. Copy it from "
                           "the image again.".format(path, length, max(len(data) - at - 5, 0)))
    return data


def derive_hwh(path):
    """Returns the tutorial's .hwh, as bytes, made from the base overlay's; or raises OverlayError."""
    text = _read(path)
    try:
        return _derived(path, ElementTree.fromstring(text))
    except (ElementTree.ParseError, AttributeError, LookupError, TypeError, ValueError) as error:  # part of it is missing
        raise OverlayError("{} is no hardware description ({}): copy it from the image again.".format(path, error))


def _derived(path, root):
    device = root.find("SYSTEMINFO").get("DEVICE") if root.find("SYSTEMINFO") is not None else "no device"
    if device != DEVICE:
        raise OverlayError("{} describes {}, and a PYNQ-Z1 or PYNQ-Z2 has a {}: take the base.hwh of the board's own "
                           "image.".format(path, device, DEVICE))
    modules = {module.get("FULLNAME"): module for module in root.iter("MODULE")}
    system = next((name for name, module in modules.items() if module.get("MODTYPE") == "processing_system7"), None)
    missing = sorted((IOP_MODULES | {MICROBLAZE}) - set(modules)) + ([] if system else ["processing_system7"])
    if missing:
        raise _not_base(path, "has no " + missing[0].lstrip("/"))
    reached = [(int(entry.get("BASEVALUE"), 16), int(entry.get("HIGHVALUE"), 16))
               for entry in modules[MICROBLAZE].iter("MEMRANGE") if "/" + entry.get("INSTANCE") == system]
    if DDR_WINDOW not in reached:
        raise _not_base(path, "does not let the IOP reach DDR memory at {:#x}".format(DDR_WINDOW[0]))
    way, sources = _interrupt_path(modules, system)
    if "/iop_pmoda/dff_en_reset_vector_0" not in sources:
        raise _not_base(path, "does not connect the IOP's interrupt to the processing system")
    for name in set(sources) - IOP_MODULES:
        _leave_only(sources[name], modules[name])
    _remove_modules_but(root, IOP_MODULES | way | {system}, set(sources) - IOP_MODULES)
    root.find("SYSTEMINFO").set("NAME", "pynq_tutorial")
    return ElementTree.tostring(root, encoding="utf-8").replace(STOCK_NAME.encode(), NAME.encode())


def _not_base(path, what):
    return OverlayError("{} {}, so it is not the base overlay of a PYNQ-Z1 or PYNQ-Z2: give that one.".format(path, what))


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OverlayError("{} cannot be read ({}): give the base overlay of the board's image, base.bit with base.hwh "
                           "beside it.".format(path, error.strerror))


def _interrupt_path(modules, system):
    """Follows the processing system's interrupt input back to where interrupts come from.

    Returns the full names of the concatenations and controllers on the way, and {full name: ports} of the sources. pynq
    counts the inputs of the way to number an interrupt, so none of them may be left out.
    """
    names = {module.get("INSTANCE"): name for name, module in modules.items()}
    way, sources, inputs = set(), {}, [_port(modules[system], "IRQ_F2P")]
    while inputs:
        for connection in inputs.pop().iter("CONNECTION"):
            name, port = names.get(connection.get("INSTANCE")), connection.get("PORT")
            kind = modules[name].get("MODTYPE") if name else None
            if kind not in ("xlconcat", "axi_intc"):
                sources.setdefault(name, set()).add(port)
            elif name not in way:
                way.add(name)
                inputs += [entry for entry in modules[name].iter("PORT") if entry.get("DIR") == "I" and
                           (kind == "xlconcat" or entry.get("NAME") == "intr")]
    return way, sources


def _port(module, name):
    return next((port for port in module.iter("PORT") if port.get("NAME") == name), ElementTree.Element("PORT"))


def _leave_only(ports, module):
    """Of an interrupt's source, all that is left are the ports that it comes from."""
    for part in list(module):
        if part.tag != "PORTS":
            module.remove(part)
            continue
        for entry in list(part):
            if entry.get("NAME") not in ports:
                part.remove(entry)


def _remove_modules_but(root, keep, sources):
    """Removes all other modules and what names them; sources keep their connection but not their addresses.

    Those that are not the IOP's lose their hierarchy.
    """
    kept, ports = set(), set()
    for module in list(root.find("MODULES")):
        name, instance = module.get("FULLNAME"), module.get("INSTANCE")
        if name not in keep and name not in sources:
            root.find("MODULES").remove(module)
            continue
        ports.update((instance, port.get("NAME")) for port in module.iter("PORT"))
        if name in keep:
            kept.add(instance)
        if name not in IOP_MODULES:
            module.set("FULLNAME", "/" + instance)
    for parent in root.iter():
        for entry in list(parent):
            if (entry.tag in ("MEMRANGE", "PERIPHERAL") and entry.get("INSTANCE") not in kept
                    or entry.tag == "CONNECTION" and (entry.get("INSTANCE"), entry.get("PORT")) not in ports
                    or parent.tag in ("EXTERNALPORTS", "EXTERNALINTERFACES")):
                parent.remove(entry)


def derive(bit):
    """Returns {file name: contents as bytes} of the tutorial's overlay, made from base.bit and the base.hwh beside it.

    bit: the path of base.bit. Raises OverlayError, whose text is one sentence, if either is missing or is not that of a
    PYNQ-Z1's or PYNQ-Z2's base overlay.
    """
    return {"pynq_tutorial.bit": check_bit(bit), "pynq_tutorial.hwh": derive_hwh(os.path.splitext(bit)[0] + ".hwh")}


def main(bit, folder):
    try:
        overlay = derive(bit)
    except OverlayError as error:
        sys.exit(str(error))
    parts = []
    try:
        for name in overlay:
            if os.path.isdir(os.path.join(folder, name)):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.path.join(folder, name))
        for name, contents in overlay.items():
            parts.append(os.path.join(folder, name + ".part"))
            with open(parts[-1], "wb") as file:
                file.write(contents)
        for name in overlay:
            os.replace(os.path.join(folder, name + ".part"), os.path.join(folder, name))
            print(os.path.join(folder, name))
    except OSError as error:
        for part in filter(os.path.exists, parts):
            os.remove(part)
        sys.exit("The overlay cannot be written into {} ({}): give a folder with room for it.".format(folder, error.strerror))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
