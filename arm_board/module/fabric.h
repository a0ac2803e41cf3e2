/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* What the parts of fabric.ko know of each other. Each part is started and stopped by main.c. */
#ifndef FABRIC_H
#define FABRIC_H

#include <linux/device.h>
#include <linux/types.h>

int outside_start(struct device *dev);
void outside_stop(void);
int manager_start(struct device *dev);
void manager_stop(void);
int pins_start(struct device *dev);
void pins_stop(void);
int interrupt_start(struct device *dev);
void interrupt_stop(void);
int buffers_start(struct device *dev);
void buffers_stop(void);

/* Sends one line to the program that has the fabric, and waits for its answer. May sleep.
   Returns 0, -EIO if the program could not do it, or -ETIMEDOUT. */
__printf(1, 2) int ask(const char *format, ...);

#endif
