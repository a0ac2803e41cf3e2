// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* /dev/uio0, named "fabric": the interrupt of the fabric's interrupt controller. As the kernel's
   own uio_pdrv_genirq, which Debian leaves out: the interrupt is off from when it is raised until
   somebody writes 1 to the file. */
#include <linux/interrupt.h>
#include <linux/irqdomain.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/spinlock.h>
#include <linux/uio_driver.h>

#include "fabric.h"

#define GIC_SPI 0  /* of the kinds of interrupts in a device tree, those that CPUs share */
/* IRQ 61, the first that comes from the fabric (UG585, table 7-4), counted from 32 */
#define SHARED_IRQ 29

static DEFINE_SPINLOCK(lock);
static bool is_off;
static struct uio_info uio;

static void turn(bool off)
{
	if (off == is_off)
		return;
	is_off = off;
	if (off)
		disable_irq_nosync(uio.irq);
	else
		enable_irq(uio.irq);
}

static irqreturn_t handle(int irq, struct uio_info *info)
{
	spin_lock(&lock);
	turn(true);
	spin_unlock(&lock);
	return IRQ_HANDLED;
}

static int control(struct uio_info *info, s32 on)
{
	unsigned long before;

	spin_lock_irqsave(&lock, before);
	turn(!on);
	spin_unlock_irqrestore(&lock, before);
	return 0;
}

int interrupt_start(struct device *dev)
{
	struct of_phandle_args irq = {
		.np = of_find_compatible_node(NULL, NULL, "arm,cortex-a9-gic"),
		.args_count = 3,
		.args = { GIC_SPI, SHARED_IRQ, IRQ_TYPE_LEVEL_HIGH },
	};

	uio = (struct uio_info){
		.name = "fabric",
		.version = "1",
		.irq = irq_create_of_mapping(&irq),
		.handler = handle,
		.irqcontrol = control,
	};
	of_node_put(irq.np);
	return uio.irq > 0 ? uio_register_device(dev, &uio) : -ENXIO;
}

void interrupt_stop(void)
{
	uio_unregister_device(&uio);
}
