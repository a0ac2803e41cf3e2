// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* /sys/class/fpga_manager/fpga0, as the kernel for the boards (linux-xlnx) has it: mainline's files
   name and state, and its own firmware and flags, which pynq writes to. */
#include <linux/firmware.h>
#include <linux/kdev_t.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "fabric.h"

/* begins the configuration data (UG470), in the byte order of the FPGA manager */
static const char sync_word[] = "\x66\x55\x99\xaa";
#define SEARCHED 256  /* bytes in which it has to be */

static DEFINE_MUTEX(configuring);
static struct class *class;
static struct device *manager;
static const char *state = "unknown";
static u32 flags;

static ssize_t name_show(struct device *dev, struct device_attribute *attr, char *to)
{
	return sysfs_emit(to, "Xilinx Zynq FPGA Manager\n");
}
static DEVICE_ATTR_RO(name);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *to)
{
	return sysfs_emit(to, "%s\n", state);
}
static DEVICE_ATTR_RO(state);

static ssize_t flags_show(struct device *dev, struct device_attribute *attr, char *to)
{
	return sysfs_emit(to, "%x\n", flags);
}

static ssize_t flags_store(struct device *dev, struct device_attribute *attr, const char *text,
			   size_t length)
{
	int error = kstrtou32(text, 16, &flags);

	return error ? error : length;
}
static DEVICE_ATTR_RW(flags);

static bool is_configuration(const struct firmware *data)
{
	size_t at;

	for (at = 0; at + 4 <= min_t(size_t, data->size, SEARCHED); at++)
		if (!memcmp(data->data + at, sync_word, 4))
			return true;
	return false;
}

/* Takes the name of a file in /lib/firmware. */
static ssize_t firmware_store(struct device *dev, struct device_attribute *attr, const char *text,
			      size_t length)
{
	const struct firmware *data;
	char *name = kstrndup(text, strcspn(text, "\n"), GFP_KERNEL);
	int error;

	if (!name)
		return -ENOMEM;
	mutex_lock(&configuring);
	error = request_firmware(&data, name, dev);
	if (error) {
		state = "firmware request error";
	} else {
		error = is_configuration(data) ? ask("configure\n") : -EINVAL;
		state = error ? "write error" : "operating";
		release_firmware(data);
	}
	mutex_unlock(&configuring);
	kfree(name);
	return error ? error : length;
}
static DEVICE_ATTR_WO(firmware);

static struct attribute *manager_attrs[] = {
	&dev_attr_name.attr, &dev_attr_state.attr, &dev_attr_flags.attr, &dev_attr_firmware.attr, NULL,
};
ATTRIBUTE_GROUPS(manager);

int manager_start(struct device *dev)
{
	class = class_create(THIS_MODULE, "fpga_manager");
	if (IS_ERR(class))
		return PTR_ERR(class);
	manager = device_create_with_groups(class, dev, MKDEV(0, 0), NULL, manager_groups, "fpga0");
	if (IS_ERR(manager)) {
		class_destroy(class);
		return PTR_ERR(manager);
	}
	return 0;
}

void manager_stop(void)
{
	device_unregister(manager);
	class_destroy(class);
}
