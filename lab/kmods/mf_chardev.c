// SPDX-License-Identifier: MIT
/* Makes /dev/mf_chardev. Each open file of it is one reference on this kmod (.owner): in use while someone has it open. */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static ssize_t mf_chardev_read(struct file *file, char __user *buffer, size_t size, loff_t *offset)
{
	static const char text[] = "mf_chardev\n";

	return simple_read_from_buffer(buffer, size, offset, text, sizeof(text) - 1);
}

static const struct file_operations mf_chardev_operations = {
	.owner = THIS_MODULE,
	.read = mf_chardev_read,
	.llseek = default_llseek,
};

static struct miscdevice mf_chardev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mf_chardev",
	.fops = &mf_chardev_operations,
	.mode = 0666,
};

module_misc_device(mf_chardev_device);

MODULE_DESCRIPTION("modfleet lab: a device file that holds a reference while it is open");
MODULE_LICENSE("GPL");
