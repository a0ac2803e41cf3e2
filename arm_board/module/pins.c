// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* The Zynq's GPIO chip, in Linux's numbers 906 to 1023: 54 pins of the chip (MIO), which lead
   nowhere here, and 64 to the fabric (EMIO), as the resets of the IOPs. */
#include <linux/bitmap.h>
#include <linux/gpio/driver.h>

#include "fabric.h"

#define FIRST 906
#define MIO 54
#define PINS 118

static DECLARE_BITMAP(levels, PINS);
static DECLARE_BITMAP(outputs, PINS);

static void set(struct gpio_chip *chip, unsigned int pin, int level)
{
	if (pin >= MIO && ask("pin %u %d\n", pin - MIO, level))
		dev_err(chip->parent, "the fabric has not taken the level of EMIO pin %u\n", pin - MIO);
	assign_bit(pin, levels, level);
}

static int get(struct gpio_chip *chip, unsigned int pin)
{
	return test_bit(pin, levels);
}

static int get_direction(struct gpio_chip *chip, unsigned int pin)
{
	return test_bit(pin, outputs) ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static int direction_input(struct gpio_chip *chip, unsigned int pin)
{
	clear_bit(pin, outputs);
	return 0;
}

static int direction_output(struct gpio_chip *chip, unsigned int pin, int level)
{
	set_bit(pin, outputs);
	set(chip, pin, level);
	return 0;
}

static struct gpio_chip chip = {
	.label = "zynq_gpio",
	.owner = THIS_MODULE,
	.base = FIRST,
	.ngpio = PINS,
	.can_sleep = true,  /* ask() does */
	.set = set,
	.get = get,
	.get_direction = get_direction,
	.direction_input = direction_input,
	.direction_output = direction_output,
};

int pins_start(struct device *dev)
{
	chip.parent = dev;
	return gpiochip_add_data(&chip, NULL);
}

void pins_stop(void)
{
	gpiochip_remove(&chip);
}
