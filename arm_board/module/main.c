// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* fabric.ko: what a Zynq has and the emulated machine lacks, as far as pynq uses it. Debian's
   kernel is not configured for a Zynq, and the machine is an i.MX6, so all of it is here:

   outside.c    a serial line to the program that has the fabric, arm_board/fabric.py
   manager.c    /sys/class/fpga_manager/fpga0
   pins.c       the GPIO chip that is numbered from 906
   interrupt.c  /dev/uio0, the fabric's interrupt
   buffers.c    /dev/pynq-buffer, contiguous memory

   The module has no device table: the modpost of another architecture reads one wrongly. */
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>

#include "fabric.h"

/* pynq takes a machine for a board if this file exists, /proc/device-tree/chosen/pynq_board. */
static char board[] = "Pynq-Z1";
static struct property pynq_board = {
	.name = "pynq_board", .value = board, .length = sizeof(board),
};

static const struct {
	int (*start)(struct device *dev);
	void (*stop)(void);
} parts[] = {
	{ outside_start, outside_stop },
	{ manager_start, manager_stop },
	{ pins_start, pins_stop },
	{ interrupt_start, interrupt_stop },
	{ buffers_start, buffers_stop },
};

static struct platform_device *device;

static void stop(int started)
{
	while (started--)
		parts[started].stop();
	platform_device_unregister(device);
}

static int __init fabric_init(void)
{
	int i, error;

	device = platform_device_register_simple("fabric", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		error = parts[i].start(&device->dev);
		if (error) {
			stop(i);
			return error;
		}
	}
	error = of_add_property(of_chosen, &pynq_board);
	if (error)
		stop(i);
	return error;
}

static void __exit fabric_exit(void)
{
	of_remove_property(of_chosen, &pynq_board);
	stop(ARRAY_SIZE(parts));
}

module_init(fabric_init);
module_exit(fabric_exit);
MODULE_DESCRIPTION("The fabric of an emulated PYNQ board");
MODULE_LICENSE("Dual BSD/GPL");
