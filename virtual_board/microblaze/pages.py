"""Which pages of the board's memory a QEMU has used. Linux gives a process each page of a file at
its first access, or at one to a page near it, and tells in /proc/PID/pagemap (proc(5))."""

import mmap
import os
import struct

PRESENT = 1 << 63


class UsedPages:
    """`address in UsedPages(pid, file)`: whether the process has used the page with this offset in
    the file. Nothing is in it if the process has ended, or on another system than Linux.

    Args:
        pid: Its number, or None.
        file: The file's descriptor."""

    def __init__(self, pid, file):
        self._folder, self._mapped, self._known = f"/proc/{pid}/", [], {}
        try:
            inode = str(os.fstat(file).st_ino)
            with open(self._folder + "maps") as maps:
                lines = [line.split() for line in maps]
        except OSError:
            return
        for addresses, _, offset, _, of_inode, *_ in lines:
            if of_inode == inode:
                first, end = (int(address, 16) for address in addresses.split("-"))
                self._mapped.append((int(offset, 16), first, end))

    def __contains__(self, address):
        page = address // mmap.PAGESIZE
        if page not in self._known:
            self._known[page] = any(map(self._is_present, self._where(page * mmap.PAGESIZE)))
        return self._known[page]

    def _where(self, offset):
        """Where the process has this part of the file."""
        for starts, first, end in self._mapped:
            if starts <= offset < starts + end - first:
                yield first + offset - starts

    def _is_present(self, virtual):
        try:
            with open(self._folder + "pagemap", "rb", buffering=0) as pagemap:
                pagemap.seek(virtual // mmap.PAGESIZE * 8)
                (entry,) = struct.unpack("=Q", pagemap.read(8))
        except (OSError, struct.error):  # it has ended
            return False
        return bool(entry & PRESENT)
