"""Decides which memory an IOP may write: contiguous parts of buffers that are allocated now.

An IOP writes wherever it is told, and Linux is in the same DDR memory. So every request is checked
against the buffers of this Python process, which Python's garbage collector can list."""

import bisect
import functools
import gc
import itertools
import operator
import sys
import weakref

import numpy as np
from pynq.buffer import PynqBuffer

DDR_SIZE = 0x20000000  # bytes: the 512 MB of a PYNQ-Z1 or PYNQ-Z2, from physical address 0
ADVICE = "give a buffer from xlnk.cma_array() or pynq.allocate(), or its physical_address"

# The result of the last look at this process's buffers: their addresses in order, weak references
# to them in the same order, and the fence (see _look). The first entry of both lists stands for no
# buffer. A thread replaces all three in one step.
_known = [0], [lambda: None], None


def locate(buffer):
    """Returns where a buffer lies: (physical address, room in bytes, the allocated buffer that owns
    the memory).

    buffer: a PynqBuffer of 32-bit integers in this machine's byte order, a contiguous view of one
    (of any shape), or the physical address of a word in one. The room reaches to the end of the
    view or of the buffer. Raises TypeError for anything else, and ValueError for memory that the
    IOP must not write. Any thread may call it. The first call for an address in a buffer may take
    milliseconds, and so may an address in no buffer."""
    if isinstance(buffer, np.ndarray):
        return _locate_array(buffer)
    return _locate_address(integer("address", buffer))


def integer(name, value):
    """`value` as a Python int. TypeError if it is not an integer of Python's or numpy's."""
    if type(value) is int:
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise TypeError(
        "{} is {!r}, a {}: give an integer{}.".format(
            name, value, type(value).__name__, " or a buffer" if name == "address" else ""
        )
    )


def _locate_array(buffer):
    if not isinstance(buffer, PynqBuffer):
        raise TypeError(
            f"buffer is a plain numpy array, whose memory the IOP cannot reach: {ADVICE}."
        )
    owner = buffer
    while isinstance(owner.base, PynqBuffer):
        owner = owner.base
    if not is_allocated(owner):
        if _was_allocated(owner):
            raise ValueError(
                "buffer was freed, and its memory may belong to something else now: allocate a new"
                " one."
            )
        raise TypeError(
            "buffer is the result of a computation or a copy, whose memory the IOP cannot reach:"
            f" {ADVICE}."
        )
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
                f"buffer is a view whose words begin at {address:#x}, and a 32-bit word begins at a"
                " multiple of 4: give a part that begins at a word."
            )
    return address, buffer.nbytes, owner


def _check_dtype(dtype):
    """ValueError unless numpy shows what the IOP writes, integers of 32 bits, as the same
    integers."""
    if dtype.kind not in "iu" or dtype.itemsize != 4 or not dtype.isnative:
        raise ValueError(
            f"buffer has dtype {dtype}, and the IOP writes integers of 32 bits in this machine's"
            " byte order: allocate it with dtype=np.int32 or np.uint32, or give"
            " buffer.view(np.uint32)."
        )


def _locate_address(address):
    if not 0 < address < DDR_SIZE:
        raise ValueError(
            f"address must be from 0x4 to {DDR_SIZE - 4:#x}, where DDR memory ends, and is"
            f" {address:#x}: {ADVICE}."
        )
    if address % 4:
        raise ValueError(
            f"address is {address:#x}, and a 32-bit word begins at a multiple of 4: {ADVICE}."
        )
    starts, references, _ = _known
    found = references[bisect.bisect_right(starts, address) - 1]()
    if found is None or not _lies_in(address, found):
        found = next((buffer for buffer in reversed(_look()) if _lies_in(address, buffer)), None)
    if found is None:
        raise ValueError(
            f"address is {address:#x}, which lies in no buffer that is allocated now; Linux itself"
            f" may be there: {ADVICE}."
        )
    _check_dtype(found.dtype)
    return address, found.physical_address + found.nbytes - address, found


def _lies_in(address, buffer):
    # Asked anew at each call: since the last one the buffer may have been freed.
    return is_allocated(buffer) and 0 <= address - buffer.physical_address < buffer.nbytes


def _look():
    """Lists the buffers of this process that are allocated now, whoever allocated them, and keeps
    the result in _known.

    Listing all objects takes milliseconds, and a program may give a thousand wrong addresses. So a
    look leaves a fence: an object that is made just before all objects are listed. Every new object
    is in the collector's youngest generation, and a collection moves it to an older one. While the
    fence is still in the youngest, no collection has run, so every object made after it is there
    too, and only that generation is listed. Before Python 3.8 one generation cannot be listed
    alone."""
    global _known
    _, references, fence = _known
    found = [] if fence is None else list(_all_buffers(0))
    if any(buffer is fence for buffer in found):
        found += [buffer for buffer in [known() for known in references] if buffer is not None]
    else:
        # gc.freeze() hides objects from the list. Unfreezing them costs the collector time, and
        # nothing else.
        getattr(gc, "unfreeze", lambda: None)()
        fence = np.ndarray.__new__(PynqBuffer, 0)
        found = list(_all_buffers())
        if sys.version_info < (3, 8) or any(_may_become_allocated(buffer) for buffer in found):
            fence = None
    # by id, because a young one may be known, too
    allocated = {id(buffer): buffer for buffer in found if is_allocated(buffer)}
    # Xlnk of pynq 2 can hand out the same memory twice: of buffers that begin at one address, the
    # longest comes last.
    in_order = sorted(
        allocated.values(), key=lambda buffer: (buffer.physical_address, buffer.nbytes)
    )
    _known = (
        [0] + [buffer.physical_address for buffer in in_order],
        [lambda: None] + [weakref.ref(buffer) for buffer in in_order],
        fence,
    )
    return in_order


def _may_become_allocated(buffer):
    # Another thread may be inside allocate(), which makes the PynqBuffer first and marks it as an
    # original afterwards. The base of a view is a PynqBuffer, and a copy has none.
    return not _was_allocated(buffer) and not isinstance(buffer.base, (PynqBuffer, type(None)))


def _all_buffers(*generation):
    """An iterator over this process's PynqBuffers, or those of one of the collector's generations,
    for list().

    The collector lists all objects, even a tuple that another thread is still filling, and Python
    refuses to go on filling a tuple with a second reference ("bad argument to internal function").
    So the list is made, searched and dropped within that one call of list(), during which no other
    thread runs."""
    # one list, to which nothing here may keep a reference
    lists = itertools.starmap(gc.get_objects, [generation])
    twice = itertools.chain.from_iterable(map(itertools.repeat, lists, itertools.repeat(2)))
    types = map(functools.partial(map, type), twice)
    is_buffer = map(functools.partial(map, operator.is_, itertools.repeat(PynqBuffer)), types)
    return itertools.chain.from_iterable(map(itertools.compress, twice, is_buffer))


def is_allocated(buffer):
    """Whether a PynqBuffer is an allocated one (not a view or a copy) that has not been freed.

    Each release of pynq marks a freed buffer in its own way. freebuffer() does this:

    2.5, 2.6  It sets `pointer` to 0. Linux gets the memory back when the last view is gone.
    xlnk_reset() frees buffers without
              marking them, but empties `bufmap`, the list of buffers in the Xlnk that allocated
              them.
    2.7       It does nothing: the buffer stays allocated until the process ends. make_freeable()
    mends that for Xlnk's. 3.0       It sets `freed`, and Linux gets the memory back at once. 3.1
    It sets `freed`, and Linux gets the memory back when the last view and copy are gone."""
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
    """Makes freebuffer() free a buffer on pynq 2.7 too: the buffer gets the attributes that this
    release's freebuffer() uses, which say what to free and who frees it. Does nothing on other
    releases, or if the device has set them itself."""
    known = vars(buffer)
    if "freed" not in known and "pointer" not in known:
        buffer.pointer = buffer.device, buffer.bo, buffer.virtual_address, buffer.nbytes
        buffer.return_to = _Freed


class _Freed:
    @staticmethod
    def return_pointer(pointer):
        from pynq.pl_server.xrt_device import _free_bo

        _free_bo(*pointer)


def to_memory(owner, offset, size):
    """Writes `size` bytes from `offset` of an allocated buffer from the CPU's cache to DDR, where
    the IOP sees them."""
    if not owner.coherent:
        _synchronise(owner, owner.device.flush, "XCL_BO_SYNC_BO_TO_DEVICE", offset, size)


def from_memory(owner, offset, size):
    """Drops `size` bytes from `offset` of an allocated buffer from the CPU's cache, so that Python
    sees what is in DDR."""
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
