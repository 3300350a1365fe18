// SPDX-License-Identifier: MIT
/* Has an init and no exit, so the kernel marks it [permanent] and never unloads it (EBUSY). */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

static int __init mf_permanent_init(void)
{
	return 0;
}

module_init(mf_permanent_init);

MODULE_DESCRIPTION("modfleet lab: cannot be unloaded");
MODULE_LICENSE("GPL");
