"""Decides which memory an IOP may write: contiguous parts of buffers that are allocated now.

An IOP writes wherever it is told, and Linux is in the same DDR memory. So every request is checked
against the buffers of this Python process, which Python's garbage collector can list."""

import functools
import gc
import itertools
import operator
import weakref

import numpy as np
from pynq.buffer import PynqBuffer

DDR_SIZE = 0x20000000  # bytes: the 512 MB of a PYNQ-Z1 or PYNQ-Z2, from physical address 0
ADVICE = "give a buffer from xlnk.cma_array() or pynq.allocate(), or its physical_address"
UNREACHABLE = f"whose memory the IOP cannot reach: {ADVICE}."
FREED = "buffer was freed, and its memory may belong to something else now: allocate a new one."

_known = []  # weak references to the buffers that the last look found


def locate(buffer):
    """Finds where a buffer lies. Any thread may call it.

    Args:
        buffer: A PynqBuffer of 32-bit integers in this machine's byte order, a contiguous view of
            one (of any shape), or the physical address of a word in one. An address that no call
            has found before takes some 20 ms.

    Returns:
        (physical address, room in bytes, the allocated buffer that owns the memory). The room
        reaches to the end of the view or of the buffer.

    Raises:
        TypeError: It is something else.
        ValueError: The IOP must not write there.
    """
    if isinstance(buffer, np.ndarray):
        return _locate_array(buffer)
    return _locate_address(integer("address", buffer))


def integer(name, value):
    """`value` as a Python int. TypeError if it is not an integer of Python's or numpy's."""
    if type(value) is int:
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    wanted = "an integer or a buffer" if name == "address" else "an integer"
    raise TypeError(f"{name} is {value!r}, a {type(value).__name__}: give {wanted}.")


def _locate_array(buffer):
    if not isinstance(buffer, PynqBuffer):
        raise TypeError(f"buffer is a plain numpy array, {UNREACHABLE}")
    owner = buffer
    while isinstance(owner.base, PynqBuffer):
        owner = owner.base
    if not is_allocated(owner):
        if _was_allocated(owner):
            raise ValueError(FREED)
        raise TypeError(f"buffer is the result of a computation or a copy, {UNREACHABLE}")
    _check_dtype(buffer.dtype)
    if not buffer.flags.c_contiguous:
        raise ValueError(
            f"buffer is a view with gaps (strides {buffer.strides}), and the IOP writes words one"
            " after the other: give a part that is in one piece, like buffer[10:20]."
        )
    address = owner.physical_address
    if buffer is not owner:
        address += buffer.virtual_address - owner.virtual_address
        if address % 4:
            raise ValueError(
                f"buffer is a view that begins at {address:#x}, and a 32-bit word begins at a"
                " multiple of 4: give a part that begins at a word."
            )
    return address, buffer.nbytes, owner


def _check_dtype(dtype):
    """Numpy must show what the IOP writes, integers of 32 bits, as the same integers."""
    if dtype.kind not in "iu" or dtype.itemsize != 4 or not dtype.isnative:
        raise ValueError(
            f"buffer has dtype {dtype}, and the IOP writes integers of 32 bits in this machine's"
            " byte order: allocate it with dtype=np.int32 or np.uint32, or give"
            " buffer.view(np.uint32)."
        )


def _locate_address(address):
    if not 0 < address < DDR_SIZE or address % 4:
        raise ValueError(
            f"address must be a multiple of 4 from 0x4 to {DDR_SIZE - 4:#x}, where DDR memory ends,"
            f" and is {address:#x}: {ADVICE}."
        )
    found = _holding(address, _known)
    if found is None:
        found = _holding(address, _look())
    if found is None:
        raise ValueError(
            f"address {address:#x} is in no buffer that is allocated now, and Linux may be using"
            f" it: {ADVICE}."
        )
    _check_dtype(found.dtype)
    return address, found.physical_address + found.nbytes - address, found


def _holding(address, references):
    """The allocated buffer that has an address, or None."""
    for reference in references:
        buffer = reference()
        # Asked anew at each call: since the last one the buffer may have been freed.
        if buffer is not None and is_allocated(buffer):
            if 0 <= address - buffer.physical_address < buffer.nbytes:
                return buffer
    return None


def _look():
    """Weak references to this process's allocated buffers, whoever allocated them."""
    global _known
    # Xlnk of pynq 2 can hand out the same memory twice: the longest buffer comes first.
    found = sorted(filter(is_allocated, _all_buffers()), key=lambda buffer: -buffer.nbytes)
    _known = [weakref.ref(buffer) for buffer in found]
    return _known


def _all_buffers():
    """Lists this process's PynqBuffers.

    The collector lists all objects, even a tuple that another thread is still filling, and Python
    refuses to go on filling a tuple with a second reference ("bad argument to internal function").
    So the collector's list is made, searched and dropped within one call of list(), during which no
    other thread runs."""
    lists = itertools.starmap(gc.get_objects, [()])
    twice = itertools.chain.from_iterable(map(itertools.repeat, lists, [2]))
    types = map(functools.partial(map, type), twice)
    is_buffer = map(functools.partial(map, operator.is_, itertools.repeat(PynqBuffer)), types)
    return list(itertools.chain.from_iterable(map(itertools.compress, twice, is_buffer)))


def is_allocated(buffer):
    """Whether a PynqBuffer is an allocated one (not a view or a copy) that has not been freed.

    Each release of pynq marks a freed buffer in its own way. freebuffer() does this:

    2.5, 2.6  It sets `pointer` to 0. Linux gets the memory back when the last view is gone.
              xlnk_reset() frees buffers without marking them, but empties `bufmap`, the list of
              buffers in the Xlnk that allocated them.
    2.7       It does nothing: the buffer stays allocated until the process ends. make_freeable()
              mends that for Xlnk's.
    3.0       It sets `freed`, and Linux gets the memory back at once.
    3.1       It sets `freed`, and Linux gets the memory back when the last view and copy are gone.
    """
    known = vars(buffer)
    if not _was_allocated(buffer) or known.get("freed") or known.get("pointer", True) == 0:
        return False
    bufmap = getattr(known.get("device"), "bufmap", None)
    return bufmap is None or known["pointer"] in bufmap


def _was_allocated(buffer):
    # Views and copies inherit a PynqBuffer's address, but not these attributes, which allocate()
    # sets.
    known = vars(buffer)
    return "pointer" in known or "memory" in known


def make_freeable(buffer):
    """Gives a buffer of pynq 2.7 the attributes by which freebuffer() frees it."""
    known = vars(buffer)
    if "freed" not in known and "pointer" not in known:
        buffer.pointer = buffer.device, buffer.bo, buffer.virtual_address, buffer.nbytes
        buffer.return_to = _Freed


class _Freed:
    @staticmethod
    def return_pointer(pointer):
        from pynq.pl_server.xrt_device import _free_bo

        _free_bo(*pointer)


def flush(owner, offset, size):
    """Writes bytes of an allocated buffer from the CPU's cache to DDR, where the IOP sees them."""
    if not owner.coherent:
        _synchronise(owner, owner.device.flush, "XCL_BO_SYNC_BO_TO_DEVICE", offset, size)


def invalidate(owner, offset, size):
    """Drops bytes of an allocated buffer from the CPU's cache, so that Python sees DDR's."""
    if not owner.coherent:
        _synchronise(owner, owner.device.invalidate, "XCL_BO_SYNC_BO_FROM_DEVICE", offset, size)


def _synchronise(owner, call, direction, offset, size):
    # buffer.flush() and invalidate() act on the whole buffer, and would lose what another thread
    # writes beside these words.
    if hasattr(owner.bo, "sync"):  # pynq 3.1, whose device ignores the range that it is given
        import pyxrt

        owner.bo.sync(getattr(pyxrt.xclBOSyncDirection, direction), size, offset)
    else:
        call(owner.bo, owner.offset + offset, owner.virtual_address + offset, size)
