// SPDX-License-Identifier: MIT
/*
 * Makes /dev/mf_ownerless and forgets .owner: an open file of it is no reference, so the kernel unloads this kmod under an open file, and
 * oopses when that is closed.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static const struct file_operations mf_ownerless_operations = {
	.llseek = noop_llseek,
};

static struct miscdevice mf_ownerless_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mf_ownerless",
	.fops = &mf_ownerless_operations,
	.mode = 0666,
};

module_misc_device(mf_ownerless_device);

MODULE_DESCRIPTION("modfleet lab: a device file that holds no reference while it is open");
MODULE_LICENSE("GPL");
