/* Preloaded into a QEMU before 8.1, whose memory-backend-file has no `offset`: the ARM's RAM, which
   begins at physical address RAM_START, is mapped from that offset of its file on.

   cc -shared -fPIC -DRAM_START=... -DRAM_SIZE=... -o offset.so offset.c */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (file >= 0 && bytes == RAM_SIZE && flags & MAP_SHARED) offset += RAM_START;
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, file, offset);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
    return mmap64(at, bytes, protection, flags, file, offset);
}
