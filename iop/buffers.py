"""Which memory an IOP may write: buffers that are allocated right now, whole and in one piece.

An IOP writes wherever it is told, and Linux lives in the same DDR. So every request is checked against the buffers of
this Python process, which numpy can name and Python's garbage collector can list.
"""

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

# What the last look at this process's buffers found: the address of each, in order; weak references to them, in the same order;
# and the fence (_look). The first entry of both lists stands for no buffer. A thread replaces all three at once.
_known = [0], [lambda: None], None


def locate(buffer):
    """Returns where a buffer lies: (physical address, room in bytes, the allocated buffer that owns the memory).

    buffer: a PynqBuffer of a 32-bit dtype, a contiguous view of one (of any shape), or the physical address of a word in an
    allocated buffer. The room reaches to the end of the view or of the buffer.
    Raises TypeError for anything else, and ValueError for memory that the IOP must not write.
    Any thread may call it. The first call for an address in a buffer may take milliseconds, and so may an address in no buffer.
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
    raise TypeError("{} is {!r}, a {}: give an integer{}.".format(
        name, value, type(value).__name__, " or a buffer" if name == "address" else ""))


def _locate_array(buffer):
    if not isinstance(buffer, PynqBuffer):
        raise TypeError("buffer is a plain numpy array, whose memory the IOP cannot reach: {}.".format(ADVICE))
    owner = buffer
    while isinstance(owner.base, PynqBuffer):
        owner = owner.base
    if not is_allocated(owner):
        if _was_allocated(owner):
            raise ValueError("buffer was freed, and its memory may belong to something else now: allocate a new one.")
        raise TypeError("buffer is the result of a computation or a copy, whose memory the IOP cannot reach: {}."
                        .format(ADVICE))
    if buffer.dtype.itemsize != 4:
        raise ValueError("buffer has dtype {}, and the IOP writes words of 32 bits: allocate it with dtype=np.int32, "
                         "np.uint32 or np.float32.".format(buffer.dtype))
    if not buffer.flags.c_contiguous:
        raise ValueError("buffer is a view with gaps (strides {}), and the IOP writes words one after the other: give a "
                         "part that is in one piece, like buffer[10:20].".format(buffer.strides))
    address = owner.physical_address
    if buffer is not owner:
        address += buffer.virtual_address - owner.virtual_address
        if address % 4:
            raise ValueError("buffer is a view whose words begin at {:#x}, and a 32-bit word begins at a multiple of 4: "
                             "give a part that begins at a word.".format(address))
    return address, buffer.nbytes, owner


def _locate_address(address):
    if not 0 < address < DDR_SIZE:
        raise ValueError("address is {:#x}, and DDR memory goes up to {:#x}, 0 being no address at all: {}.".format(
            address, DDR_SIZE - 1, ADVICE))
    if address % 4:
        raise ValueError("address is {:#x}, and a 32-bit word begins at a multiple of 4: {}.".format(address, ADVICE))
    starts, references, _ = _known
    found = references[bisect.bisect_right(starts, address) - 1]()
    if found is None or not _lies_in(address, found):
        found = next((buffer for buffer in reversed(_look()) if _lies_in(address, buffer)), None)
    if found is None:
        raise ValueError("address is {:#x}, which lies in no buffer that is allocated now; Linux itself may be there: {}."
                         .format(address, ADVICE))
    return address, found.physical_address + found.nbytes - address, found


def _lies_in(address, buffer):
    # Asked anew at each call: since the last one the buffer may have been freed.
    return is_allocated(buffer) and 0 <= address - buffer.physical_address < buffer.nbytes


def _look():
    """The buffers of this process that are allocated now, whoever allocated them. From now on they are known.

    Listing all objects takes milliseconds, and a program may give a thousand wrong addresses. So a look leaves a fence: an object
    that is made right before all objects are listed. Every object begins among the collector's youngest. As long as the fence is
    still there, no collection has moved any object since; then all that was made after the fence is there too, and only the
    youngest are listed. Before Python 3.8 they cannot be listed alone.
    """
    global _known
    _, references, fence = _known
    found = [] if fence is None else list(_all_buffers(0))
    if any(buffer is fence for buffer in found):
        found += [buffer for buffer in [known() for known in references] if buffer is not None]
    else:
        # gc.freeze() hides objects from the list. They are put back for good, which costs the collector time, and nothing else.
        getattr(gc, "unfreeze", lambda: None)()
        fence = np.ndarray.__new__(PynqBuffer, 0)
        found = list(_all_buffers())
        if sys.version_info < (3, 8) or any(_may_become_allocated(buffer) for buffer in found):
            fence = None
    allocated = {id(buffer): buffer for buffer in found if is_allocated(buffer)}  # one that is young may be known, too
    # Of those that begin at one address, as Xlnk of pynq 2 can give the same memory twice, the longest is the last.
    in_order = sorted(allocated.values(), key=lambda buffer: (buffer.physical_address, buffer.nbytes))
    _known = ([0] + [buffer.physical_address for buffer in in_order],
              [lambda: None] + [weakref.ref(buffer) for buffer in in_order], fence)
    return in_order


def _may_become_allocated(buffer):
    # Another thread may be inside allocate(), which makes the PynqBuffer first and marks it as an original afterwards. The base
    # of a view is a PynqBuffer, and a copy has none.
    return not _was_allocated(buffer) and not isinstance(buffer.base, (PynqBuffer, type(None)))


def _all_buffers(*generation):
    """An iterator over this process's PynqBuffers, or those of one of the collector's generations, for list().

    The collector lists all objects, even a tuple that another thread is just filling, and Python refuses to fill on what somebody
    else knows ("bad argument to internal function"). So its list is made, looked through and dropped within that one call of
    list(), in which no other thread runs.
    """
    lists = itertools.starmap(gc.get_objects, [generation])  # one list; nothing here may keep it, for this is in it too
    twice = itertools.chain.from_iterable(map(itertools.repeat, lists, itertools.repeat(2)))
    types = map(functools.partial(map, type), twice)
    is_buffer = map(functools.partial(map, operator.is_, itertools.repeat(PynqBuffer)), types)
    return itertools.chain.from_iterable(map(itertools.compress, twice, is_buffer))


def is_allocated(buffer):
    """Whether a PynqBuffer is one that was allocated, neither a view of one nor a copy, and has not been freed.

    What freebuffer() does, and so what tells, is another thing in each release of pynq:

    2.5, 2.6  It sets `pointer` to 0. Linux has the memory back when the last view is gone. xlnk_reset() frees without a word to
              the buffers, but empties `bufmap`, the list of the Xlnk that a buffer is from.
    2.7       It does nothing: the buffer stays allocated until the process ends. make_freeable() mends that for Xlnk's.
    3.0       It sets `freed`, and Linux has the memory back at once.
    3.1       It sets `freed`, and Linux has the memory back when the last view and copy are gone.
    """
    known = vars(buffer)
    if not _was_allocated(buffer) or known.get("freed") or known.get("pointer", True) == 0:
        return False
    bufmap = getattr(known.get("device"), "bufmap", None)
    return bufmap is None or known["pointer"] in bufmap


def _was_allocated(buffer):
    # Views and copies get a PynqBuffer's address too, but what allocate() itself sets stays with the original.
    known = vars(buffer)
    return "pointer" in known or "memory" in known


def make_freeable(buffer):
    """Lets freebuffer() free a buffer on pynq 2.7 too, by that release's own means: the buffer gets what freebuffer() asks for,
    something to free and somebody to give it to. On other releases, and on a device that does so itself, nothing is done."""
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
    """What Python wrote into `size` bytes from `offset` of an allocated buffer goes from the CPU's cache to DDR."""
    if not owner.coherent:
        _synchronise(owner, owner.device.flush, "XCL_BO_SYNC_BO_TO_DEVICE", offset, size)


def from_memory(owner, offset, size):
    """The CPU's cache forgets `size` bytes from `offset` of an allocated buffer, so that Python sees what is in DDR."""
    if not owner.coherent:
        _synchronise(owner, owner.device.invalidate, "XCL_BO_SYNC_BO_FROM_DEVICE", offset, size)


def _synchronise(owner, call, direction, offset, size):
    # buffer.flush() would take the whole buffer with it, and what another thread writes beside these words would be lost.
    if hasattr(owner.bo, "sync"):  # pynq 3.1, whose device takes the whole buffer whatever it is told
        import pyxrt
        owner.bo.sync(getattr(pyxrt.xclBOSyncDirection, direction), size, offset)
    else:
        call(owner.bo, owner.offset + offset, owner.virtual_address + offset, size)
