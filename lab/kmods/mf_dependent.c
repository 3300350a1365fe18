// SPDX-License-Identifier: MIT
/* Needs mf_base: modprobe loads that first, and /proc/modules lists this kmod as its user. */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

int mf_base_answer(void);

static int __init mf_dependent_init(void)
{
	pr_info("mf_dependent: the answer is %d\n", mf_base_answer());
	return 0;
}

static void __exit mf_dependent_exit(void)
{
}

module_init(mf_dependent_init);
module_exit(mf_dependent_exit);

MODULE_DESCRIPTION("modfleet lab: uses a symbol of mf_base");
MODULE_LICENSE("GPL");
