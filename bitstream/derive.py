#!/usr/bin/env python3
"""derive.py BASE FOLDER: makes the tutorial's overlay, pynq_tutorial.bit and .hwh in FOLDER, from a
board's base overlay.

BASE: the base overlay's base.bit; base.hwh lies beside it. On a board both are in the pynq package,
overlays/base/.

The base overlay already contains the IOP, so the configuration data in the .bit stays as it is.
Only the design's name in its header changes, because pynq 3 tells overlays apart by the hash of the
.bit. The .hwh describes the circuit to pynq. It keeps only what the tutorial needs: the processing
system, the IOP iop_pmoda, which is renamed to iop1, and the path of its interrupt. Both files are
checked first; if something is wrong, one sentence says what, and nothing is written. Needs only
Python 3.6."""

import hashlib
import os
import struct
import sys
import xml.etree.ElementTree as ElementTree

DEVICE = "7z020"  # the Zynq of the PYNQ-Z1 and PYNQ-Z2
SYNC_WORD = b"\xaa\x99\x55\x66"  # begins the configuration data proper (Xilinx UG470, table 5-19)
TUTORIAL = "pynq_tutorial"
STOCK_NAME, NAME = "iop_pmoda", "iop1"
# first and last byte of DDR as the IOP's program sees it (mb_src/pynq_tutorial.c)
DDR_WINDOW = 0x20000000, 0x3FFFFFFF
DDR_SIZE = 0x20000000  # bytes: the 512 MB of a PYNQ-Z1 or PYNQ-Z2
# The parts of the IOP that pynq asks for: its memory, its interrupt and its reset. The MicroBlaze's
# own devices are not for Linux.
IOP_MODULES = {
    "/iop_pmoda/mb_bram_ctrl",
    "/iop_pmoda/dff_en_reset_vector_0",
    "/iop_pmoda/rst_clk_wiz_1_100M",
    "/mb_iop_pmoda_reset",
    "/mb_iop_pmoda_intr_ack",
}
MICROBLAZE = "/iop_pmoda/mb"


class OverlayError(Exception):
    """The tutorial's overlay cannot be made from this base overlay; the text is one sentence for
    the person who installs."""


def read_bit(path):
    """The fields of a .bit file for the Zynq 7z020.

    A .bit begins with 13 bytes that are always the same (UG470 does not describe them, but every
    tool writes them), here the field "". Then come the design's name "a", the part "b", the date
    "c", the time "d", and the configuration data "e". Each has its letter, a length in two bytes
    (four for "e"), and as many bytes.

    Returns:
        {field: bytes}, which join_bit() joins again.

    Raises:
        OverlayError: if the file is no such bitstream.
    """
    data = _read(path)
    fields, at = {"": data[:13]}, 13
    try:
        while data[at : at + 1] in (b"a", b"b", b"c", b"d"):
            (length,) = struct.unpack_from(">H", data, at + 1)
            fields[data[at : at + 1].decode()] = data[at + 3 : at + 3 + length]
            at += 3 + length
        (length,) = struct.unpack_from(">cI", data, at)[1:] if data[at : at + 1] == b"e" else (0,)
        part = fields.get("b", b"").rstrip(b"\0").decode("ascii")
    except (struct.error, UnicodeDecodeError):
        length = 0
    if not length or not part or "a" not in fields:
        raise OverlayError(
            f"{path} is not a bitstream: its header names no part or no data. Take the base.bit of"
            " the board's own image."
        )
    if not part.startswith(DEVICE):
        raise OverlayError(
            f"{path} is for a {part}, and a PYNQ-Z1 or PYNQ-Z2 has a {DEVICE}: take the base.bit of"
            " the board's own image."
        )
    fields["e"] = data[at + 5 :]
    if len(fields["e"]) != length or SYNC_WORD not in fields["e"][:256]:
        raise OverlayError(
            f"{path} is damaged: its header announces {length} bytes of configuration, and"
            f" {len(fields['e'])} follow. Copy it from the image again."
        )
    return fields


def join_bit(fields):
    """The bytes of a .bit file, from what read_bit() returns."""
    return fields[""] + b"".join(
        letter.encode()
        + struct.pack(">I" if letter == "e" else ">H", len(fields[letter]))
        + fields[letter]
        for letter in "abcde"
        if letter in fields
    )


def _name_design(fields, hwh):
    """Gives a bitstream a design name that contains a digest of the .hwh beside it.

    pynq 3 caches the contents of a .hwh, and uses them again for a .bit with the same SHA-1. So a
    .bit may not be the same file as one that was delivered with another .hwh."""
    rest = fields["a"].partition(b";")[2]  # UserID=...;Version=..., which pynq's parsers read too
    name = f"{TUTORIAL}_{hashlib.sha256(hwh).hexdigest()[:32]}".encode()
    return dict(fields, a=name + (b";" + rest if rest else b"\0"))


def derive_hwh(path):
    """The tutorial's .hwh, as bytes, made from the base overlay's. Raises OverlayError."""
    text = _read(path)
    try:
        return _derived(path, ElementTree.fromstring(text))
    except (ElementTree.ParseError, AttributeError, LookupError, TypeError, ValueError) as error:
        # part of it is missing
        raise OverlayError(
            f"{path} is not a hardware description ({error}): copy it from the image again."
        ) from error


def _derived(path, root):
    information = root.find("SYSTEMINFO")
    device = "no device" if information is None else information.get("DEVICE")
    if device != DEVICE:
        raise OverlayError(
            f"{path} describes {device}, and a PYNQ-Z1 or PYNQ-Z2 has a {DEVICE}: take the base.hwh"
            " of the board's own image."
        )
    modules = {module.get("FULLNAME"): module for module in root.iter("MODULE")}
    systems = [n for n, module in modules.items() if module.get("MODTYPE") == "processing_system7"]
    missing = sorted((IOP_MODULES | {MICROBLAZE}) - set(modules))
    missing += [] if systems else ["processing_system7"]
    if missing:
        raise _not_base(path, "has no " + missing[0].lstrip("/"))
    system, (first, last) = systems[0], DDR_WINDOW
    if not _leads_to_ddr(modules, MICROBLAZE, first, last, 0, system):
        addresses = f"the IOP's addresses from {first:#x} to {last:#x}"
        raise _not_base(path, f"does not lead all of {addresses} to the board's DDR memory")
    way, sources = _interrupt_path(modules, system)
    if "/iop_pmoda/dff_en_reset_vector_0" not in sources:
        raise _not_base(path, "does not connect the IOP's interrupt to the processing system")
    for name in set(sources) - IOP_MODULES:
        _leave_only(sources[name], modules[name])
    _remove_modules_but(root, IOP_MODULES | way | {system}, set(sources) - IOP_MODULES)
    information.set("NAME", TUTORIAL)
    return ElementTree.tostring(root, encoding="utf-8").replace(STOCK_NAME.encode(), NAME.encode())


def _leads_to_ddr(modules, name, first, last, offset, system):
    """Whether a module's addresses from first to last lead to DDR memory, from its byte `offset`
    on.

    Up to image v2.5 they lead straight to the processing system, which uses as many address bits as
    512 MB need. From v2.6 on they lead to a block that passes on as many bits as its parameters
    say. A .hwh's memory map leaves out blocks that change no address."""
    names = {module.get("INSTANCE"): fullname for fullname, module in modules.items()}
    # so that no path is a circle
    further = {fullname: module for fullname, module in modules.items() if fullname != name}
    while first <= last:
        for entry in modules[name].iter("MEMRANGE"):
            if int(entry.get("BASEVALUE"), 16) <= first <= int(entry.get("HIGHVALUE"), 16):
                break
        else:
            return False
        target = names.get(entry.get("INSTANCE"))
        if target not in further:
            return False
        end = min(int(entry.get("HIGHVALUE"), 16), last)
        if target == system:
            if "DDR" not in entry.get("ADDRESSBLOCK") or first % DDR_SIZE != offset:
                return False
        else:
            width = f"C_{entry.get('SLAVEBUSINTERFACE')}_ADDR_WIDTH"
            parameters = {p.get("NAME"): p.get("VALUE") for p in modules[target].iter("PARAMETER")}
            size = 1 << int(parameters.get(width, 32))
            below = first % size
            above = below + end - first
            if above >= size or not _leads_to_ddr(further, target, below, above, offset, system):
                return False
        offset += end + 1 - first
        first = end + 1
    return True


def _not_base(path, what):
    return OverlayError(
        f"{path} {what}, so it is not the base overlay of a PYNQ-Z1 or PYNQ-Z2: give that one."
    )


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OverlayError(
            f"{path} cannot be read ({error.strerror}): give the base overlay of the board's image,"
            " base.bit with base.hwh beside it."
        ) from error


def _interrupt_path(modules, system):
    """Follows the processing system's interrupt input back to the sources of interrupts.

    Returns the full names of the concatenations and controllers on the path, and {full name: ports}
    of the sources. pynq counts the inputs on the path to number an interrupt, so all of them must
    stay."""
    names = {module.get("INSTANCE"): name for name, module in modules.items()}
    way, sources = set(), {}
    inputs = [port for port in modules[system].iter("PORT") if port.get("NAME") == "IRQ_F2P"]
    while inputs:
        for connection in inputs.pop().iter("CONNECTION"):
            name, port = names.get(connection.get("INSTANCE")), connection.get("PORT")
            kind = modules[name].get("MODTYPE") if name else None
            if kind not in ("xlconcat", "axi_intc"):
                sources.setdefault(name, set()).add(port)
            elif name not in way:
                way.add(name)
                ports = [port for port in modules[name].iter("PORT") if port.get("DIR") == "I"]
                inputs += [p for p in ports if kind == "xlconcat" or p.get("NAME") == "intr"]
    return way, sources


def _leave_only(ports, module):
    """Removes everything from the source of an interrupt, except the ports that the interrupt comes
    from."""
    for part in list(module):
        if part.tag != "PORTS":
            module.remove(part)
            continue
        for entry in list(part):
            if entry.get("NAME") not in ports:
                part.remove(entry)


def _remove_modules_but(root, keep, sources):
    """Removes all other modules and the references to them. Sources keep their connections but not
    their addresses.

    Modules that are not the IOP's lose their hierarchy.
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
            if (
                entry.tag in ("MEMRANGE", "PERIPHERAL")
                and entry.get("INSTANCE") not in kept
                or entry.tag == "CONNECTION"
                and (entry.get("INSTANCE"), entry.get("PORT")) not in ports
                or parent.tag in ("EXTERNALPORTS", "EXTERNALINTERFACES")
            ):
                parent.remove(entry)


def derive(bit):
    """The tutorial's overlay, made from a board's base overlay.

    Args:
        bit: the path of base.bit, with base.hwh beside it.

    Returns:
        {file name: contents as bytes}

    Raises:
        OverlayError: with one sentence, if a file is missing or of another board or overlay.
    """
    fields, hwh = read_bit(bit), derive_hwh(os.path.splitext(bit)[0] + ".hwh")
    return {TUTORIAL + ".bit": join_bit(_name_design(fields, hwh)), TUTORIAL + ".hwh": hwh}


def main(bit, folder):
    try:
        for name, contents in sorted(derive(bit).items(), reverse=True):  # no .bit without a .hwh
            with open(os.path.join(folder, name), "wb") as file:
                file.write(contents)
            print(file.name)
    except (OverlayError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
