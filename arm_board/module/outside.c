// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* The line to the program outside that has the fabric: UART3 of the i.MX6 (IMX6DQRM, chapter 64),
   which sabrelite's device tree leaves alone. A request is a line of text, its answer one
   character. The board is switched off and restarted this way, too. */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/pm.h>
#include <linux/reboot.h>

#include "fabric.h"

#define UART3 0x021ec000
#define URXD 0x00
#define URXD_CHARRDY BIT(15)
#define UTXD 0x40
#define UCR1 0x80
#define UCR1_UARTEN BIT(0)
#define UCR2 0x84
#define UCR2_SRST BIT(0)  /* no reset */
#define UCR2_RXEN BIT(1)
#define UCR2_TXEN BIT(2)

#define PATIENCE 60  /* seconds: the program may have to start a QEMU for an IOP, on a busy PC */

static void __iomem *uart;
static DEFINE_MUTEX(one_at_a_time);

static void say(const char *line)
{
	while (*line)
		writel(*line++, uart + UTXD);
}

/* The answer's character, or -1 if none has come. */
static int heard(void)
{
	u32 word = readl(uart + URXD);

	return word & URXD_CHARRDY ? word & 0xff : -1;
}

int ask(const char *format, ...)
{
	unsigned long end = jiffies + PATIENCE * HZ;
	char line[32];
	int answer;
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	mutex_lock(&one_at_a_time);
	while (heard() >= 0)  /* of a request that was given up */
		;
	say(line);
	while ((answer = heard()) < 0 && time_before(jiffies, end))
		usleep_range(50, 200);
	mutex_unlock(&one_at_a_time);
	if (answer < 0)
		return -ETIMEDOUT;
	return answer == '0' ? 0 : -EIO;
}

static int restart(struct notifier_block *block, unsigned long mode, void *command)
{
	say("restart\n");
	mdelay(10000);
	return NOTIFY_DONE;
}

static void power_off(void)
{
	say("poweroff\n");
	mdelay(10000);
}

static struct notifier_block restarting = { .notifier_call = restart, .priority = 255 };

int outside_start(struct device *dev)
{
	int error;

	uart = ioremap(UART3, 0x100);
	if (!uart)
		return -ENOMEM;
	writel(UCR2_SRST | UCR2_RXEN | UCR2_TXEN, uart + UCR2);
	writel(UCR1_UARTEN, uart + UCR1);
	error = register_restart_handler(&restarting);
	if (error)
		iounmap(uart);
	else
		pm_power_off = power_off;
	return error;
}

void outside_stop(void)
{
	pm_power_off = NULL;
	unregister_restart_handler(&restarting);
	iounmap(uart);
}
