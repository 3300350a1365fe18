// SPDX-License-Identifier: MIT
/* Exports one function that mf_dependent uses: while mf_dependent is loaded the kernel refuses to unload this one. */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

int mf_base_answer(void);

int mf_base_answer(void)
{
	return 42;
}
EXPORT_SYMBOL_GPL(mf_base_answer);

static int __init mf_base_init(void)
{
	return 0;
}

static void __exit mf_base_exit(void)
{
}

module_init(mf_base_init);
module_exit(mf_base_exit);

MODULE_DESCRIPTION("modfleet lab: exports a symbol");
MODULE_LICENSE("GPL");
