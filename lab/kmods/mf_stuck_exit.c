// SPDX-License-Identifier: MIT
/*
 * Its exit never returns: rmmod stays in state D, the kmod stays `Unloading` with refcount -1, and only a reboot ends it.
 * The exit sleeps, so it costs no CPU and holds no lock: other kmods still load and unload.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

static int __init mf_stuck_exit_init(void)
{
	return 0;
}

static void __exit mf_stuck_exit_exit(void)
{
	pr_info("mf_stuck_exit: exit begins and will not return\n");
	for (;;)
		msleep(1000);
}

module_init(mf_stuck_exit_init);
module_exit(mf_stuck_exit_exit);

MODULE_DESCRIPTION("modfleet lab: an exit that never returns");
MODULE_LICENSE("GPL");
