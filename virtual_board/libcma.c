/* The allocator library of pynq 2.6's Xlnk, which on a board is /usr/lib/libcma.so: each call goes on to Python, which
   sets these pointers (libcma.py). */
#include <stdint.h>

uintptr_t (*on_alloc)(uint32_t bytes, uint32_t cacheable);
uintptr_t (*on_get_phy_addr)(uintptr_t buffer);
void (*on_free)(uintptr_t buffer);
uint32_t (*on_pages_available)(void);
void (*on_flush)(uint32_t physical, uint32_t bytes);
void (*on_invalidate)(uint32_t physical, uint32_t bytes);
void (*on_reset)(void);

void *cma_alloc(uint32_t bytes, uint32_t cacheable) { return (void *)on_alloc(bytes, cacheable); }
unsigned long cma_get_phy_addr(void *buffer) { return on_get_phy_addr((uintptr_t)buffer); }
void cma_free(void *buffer) { on_free((uintptr_t)buffer); }
uint32_t cma_pages_available(void) { return on_pages_available(); }
void cma_flush_cache(void *buffer, unsigned physical, int bytes) { (void)buffer; on_flush(physical, bytes); }
void cma_invalidate_cache(void *buffer, unsigned physical, int bytes) { (void)buffer; on_invalidate(physical, bytes); }
void _xlnk_reset(void) { on_reset(); }
