// SPDX-License-Identifier: MIT
/*
 * The hello world of every kernel module tutorial, with one parameter of each common kind.
 * All of them are readable below /sys/module/mf_hello/parameters; `greeting` is readable by root only.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static int times = 1;
module_param(times, int, 0644);
MODULE_PARM_DESC(times, "how often to say it");

static char *whom = "world";
module_param(whom, charp, 0444);
MODULE_PARM_DESC(whom, "whom to greet");

static bool loud;
module_param(loud, bool, 0644);
MODULE_PARM_DESC(loud, "add an exclamation mark");

static int numbers[4];
static int numbers_count;
module_param_array(numbers, int, &numbers_count, 0444);
MODULE_PARM_DESC(numbers, "up to four numbers");

static char *greeting = "hello";
module_param(greeting, charp, 0400);
MODULE_PARM_DESC(greeting, "the greeting itself; only root may read it");

static int __init mf_hello_init(void)
{
	int i;

	if (times < 0)
		return -EINVAL;
	for (i = 0; i < times && i < 10; i++)
		pr_info("mf_hello: %s, %s%s\n", greeting, whom, loud ? "!" : "");
	return 0;
}

static void __exit mf_hello_exit(void)
{
	pr_info("mf_hello: goodbye, %s\n", whom);
}

module_init(mf_hello_init);
module_exit(mf_hello_exit);

MODULE_DESCRIPTION("modfleet lab: hello world with parameters");
MODULE_AUTHOR("modfleet lab");
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");
