/* What a PYNQ-Z1 has between pynq and the hardware, over the board stand-in of linux.py:

   - XRT's C interface, as pynq 2.7 and 3.0 call it (libxrt_core.so), and arm_board/pyxrt.py for 3.1
   - the Xlnk driver's library, as pynq up to 2.6 calls it (libcma.so)

   Buffers are handed out by linux.py, which is asked over a socket. As with a driver, a process's
   buffers end with it.

   cc -shared -fPIC -pthread -o board.so board.c */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DRIVER "/run/board/driver"
#define DDR_SIZE 0x20000000

/* ---- The driver ---- */

enum { ALLOCATE, FREE, AVAILABLE };  /* linux.py has the same */

static int driver = -1, memory = -1;
static pid_t opened_by;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int open_driver(void) {
    struct sockaddr_un address = {AF_UNIX, DRIVER};
    if (opened_by == getpid()) return 0;
    driver = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memory = open("/dev/mem", O_RDWR | O_CLOEXEC);
    if (connect(driver, (struct sockaddr *)&address, sizeof address)) return -1;
    opened_by = getpid();
    return 0;
}

static uint32_t ask(uint32_t what, uint32_t argument) {
    uint32_t request[2] = {what, argument}, answer = 0;
    sigset_t all, before;
    sigfillset(&all);  /* the stop button cuts off no call to a driver, and no answer is left */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_mutex_lock(&one_at_a_time);
    if (open_driver() || send(driver, request, sizeof request, 0) < 0 ||
        recv(driver, &answer, sizeof answer, 0) <= 0)
        answer = 0;
    pthread_mutex_unlock(&one_at_a_time);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return answer;
}

/* ---- Buffers of this process; a handle is an index. A cacheable one has a copy of its own, which
   is the CPU's cache. ---- */

#define MOST 65536
#define PAGES(bytes) (((bytes) + 4095UL) & ~4095UL)
static struct buffer { uint32_t address, bytes; int cacheable; char *seen; } buffers[MOST];

static unsigned new_buffer(size_t bytes, int cacheable) {
    uint32_t address = bytes < DDR_SIZE ? ask(ALLOCATE, bytes) : 0;
    if (!address || memory < 0) return 0;  /* only root may open /dev/mem */
    pthread_mutex_lock(&one_at_a_time);
    unsigned i = 1;
    while (i < MOST - 1 && buffers[i].address) i++;
    buffers[i] = (struct buffer){address, bytes, cacheable, NULL};
    pthread_mutex_unlock(&one_at_a_time);
    return i;
}

static void *see(struct buffer *buffer) {
    size_t pages = PAGES(buffer->bytes);
    if (buffer->seen) return buffer->seen;
    char *ddr = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_SHARED, memory, buffer->address);
    if (buffer->cacheable) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
        buffer->seen = mmap(NULL, pages, PROT_READ | PROT_WRITE, flags, -1, 0);
        memcpy(buffer->seen, ddr, pages);
        munmap(ddr, pages);
    } else
        buffer->seen = ddr;
    return buffer->seen;
}

static void synchronise(struct buffer *buffer, int from_memory, size_t offset, size_t bytes) {
    if (!buffer->cacheable || !buffer->seen || offset >= buffer->bytes) return;
    if (bytes > buffer->bytes - offset) bytes = buffer->bytes - offset;
    char *part = buffer->seen + offset;
    if (from_memory) (void)!pread(memory, part, bytes, buffer->address + offset);
    else (void)!pwrite(memory, part, bytes, buffer->address + offset);
}

/* Its mapping stays for as long as the process wants it. */
static void free_buffer(struct buffer *buffer) {
    uint32_t address = buffer->address;
    memset(buffer, 0, sizeof *buffer);  /* first, for soon another thread may have its addresses */
    if (address) ask(FREE, address);
}

/* ---- XRT ---- */

#define CACHEABLE (1U << 24)  /* XCL_BO_FLAGS_CACHEABLE */
struct xclBOProperties { uint32_t handle, flags; uint64_t size, paddr; uint32_t domain; };

unsigned xclProbe(void) { return 1; }
void *xclOpen(unsigned, const char *, int) { return buffers; }
void xclClose(void *) {}
int xclGetDeviceInfo2(void *, char *info) { strcpy(info + 4, "edge"); return 0; }  /* info->mName */
int xclLockDevice(void *) { return 0; }
int xclUnlockDevice(void *) { return 0; }
int xclLoadXclBin(void *, const char *xclbin) { return memcmp(xclbin, "xclbin2", 8) ? -EINVAL : 0; }
unsigned xclAllocBO(void *, size_t bytes, int, unsigned flags) {
    unsigned handle = new_buffer(bytes, !!(flags & CACHEABLE));
    return handle ? handle : 0xffffffff;
}
void *xclMapBO(void *, unsigned handle, char) { return see(buffers + handle); }
void xclFreeBO(void *, unsigned handle) { if (handle < MOST) free_buffer(buffers + handle); }
int xclGetBOProperties(void *, unsigned handle, struct xclBOProperties *properties) {
    struct buffer buffer = buffers[handle];
    *properties = (struct xclBOProperties){handle, 0, buffer.bytes, buffer.address, 0};
    return buffer.address ? 0 : -EINVAL;
}
int xclSyncBO(void *, unsigned handle, int from_device, size_t bytes, size_t offset) {
    if (handle >= MOST || !buffers[handle].address) return -EINVAL;
    synchronise(buffers + handle, from_device, offset, bytes);
    return 0;
}

/* ---- Xlnk ---- */

static struct buffer *seen_at(const void *address) {
    for (unsigned i = 1; i < MOST; i++)
        if (buffers[i].address && buffers[i].seen == address) return buffers + i;
    return NULL;
}
static void synchronise_at(unsigned physical, int bytes, int from_memory) {
    for (unsigned i = 1; i < MOST; i++)
        if (physical - buffers[i].address < buffers[i].bytes)
            synchronise(buffers + i, from_memory, physical - buffers[i].address, bytes);
}
void *cma_alloc(uint32_t bytes, uint32_t cacheable) {
    unsigned handle = new_buffer(bytes, !!cacheable);
    return handle ? see(buffers + handle) : NULL;
}
unsigned long cma_get_phy_addr(void *seen) {
    struct buffer *buffer = seen_at(seen);
    return buffer ? buffer->address : 0;
}
void cma_free(void *seen) {
    struct buffer *buffer = seen_at(seen);
    if (!buffer) return;
    size_t pages = PAGES(buffer->bytes);
    free_buffer(buffer);
    munmap(seen, pages);
}
uint32_t cma_pages_available(void) { return ask(AVAILABLE, 0); }
void cma_flush_cache(void *, unsigned physical, int bytes) { synchronise_at(physical, bytes, 0); }
void cma_invalidate_cache(void *, unsigned physical, int bytes) {
    synchronise_at(physical, bytes, 1);
}
void _xlnk_reset(void) {
    for (unsigned i = 1; i < MOST; i++)
        if (buffers[i].address) free_buffer(buffers + i);
}
