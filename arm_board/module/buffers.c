// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* /dev/pynq-buffer: each time that it is opened, one buffer of contiguous memory, which ends with
   the last mapping of it. pyxrt.py uses it as pynq's allocate() does XRT's driver.

   The emulator has no caches. A cacheable buffer has memory of its own for the CPU, which stands
   for a cache that forgets nothing by itself, so that a program that forgets to flush is found
   out. */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "fabric.h"

struct request {
	__u32 bytes, cacheable;
	__u32 address;  /* the answer */
};
#define ALLOCATE _IOWR('P', 1, struct request)
#define FLUSH _IO('P', 2)
#define INVALIDATE _IO('P', 3)

struct buffer {
	struct mutex lock;
	size_t bytes;  /* 0: not allocated */
	dma_addr_t address;
	void *memory;
	void *cache;  /* NULL: not cacheable */
};

static struct device *of;

static int open(struct inode *inode, struct file *file)
{
	struct buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer)
		return -ENOMEM;
	mutex_init(&buffer->lock);
	file->private_data = buffer;
	return 0;
}

static int release(struct inode *inode, struct file *file)
{
	struct buffer *buffer = file->private_data;

	vfree(buffer->cache);
	if (buffer->bytes)
		dma_free_coherent(of, buffer->bytes, buffer->memory, buffer->address);
	kfree(buffer);
	return 0;
}

static int allocate(struct buffer *buffer, struct request *request)
{
	size_t bytes = PAGE_ALIGN(request->bytes);

	if (!bytes || buffer->bytes)
		return -EINVAL;
	if (request->cacheable) {
		buffer->cache = vmalloc_user(bytes);
		if (!buffer->cache)
			return -ENOMEM;
	}
	buffer->memory = dma_alloc_coherent(of, bytes, &buffer->address, GFP_KERNEL | __GFP_NOWARN);
	if (!buffer->memory) {
		vfree(buffer->cache);
		buffer->cache = NULL;
		return -ENOMEM;
	}
	buffer->bytes = bytes;
	request->address = buffer->address;
	return 0;
}

static long control(struct file *file, unsigned int command, unsigned long argument)
{
	struct buffer *buffer = file->private_data;
	struct request request;
	long error = 0;

	mutex_lock(&buffer->lock);
	switch (command) {
	case ALLOCATE:
		if (copy_from_user(&request, (void __user *)argument, sizeof(request)))
			error = -EFAULT;
		else
			error = allocate(buffer, &request);
		if (!error && copy_to_user((void __user *)argument, &request, sizeof(request)))
			error = -EFAULT;
		break;
	case FLUSH:
		if (buffer->cache)
			memcpy(buffer->memory, buffer->cache, buffer->bytes);
		break;
	case INVALIDATE:
		if (buffer->cache)
			memcpy(buffer->cache, buffer->memory, buffer->bytes);
		break;
	default:
		error = -ENOTTY;
	}
	mutex_unlock(&buffer->lock);
	return error;
}

static int map(struct file *file, struct vm_area_struct *area)
{
	struct buffer *buffer = file->private_data;

	if (!buffer->bytes)
		return -EINVAL;
	if (buffer->cache)
		return remap_vmalloc_range(area, buffer->cache, 0);
	return dma_mmap_coherent(of, area, buffer->memory, buffer->address, buffer->bytes);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open,
	.release = release,
	.unlocked_ioctl = control,
	.mmap = map,
};
static struct miscdevice buffers = {
	.minor = MISC_DYNAMIC_MINOR, .name = "pynq-buffer", .fops = &operations,
};

int buffers_start(struct device *dev)
{
	int error = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32));

	of = dev;
	return error ? error : misc_register(&buffers);
}

void buffers_stop(void)
{
	misc_deregister(&buffers);
}
