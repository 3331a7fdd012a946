// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes one mistake while it is loaded, so that one can see whether the debug
 * kernel notices: insmod pvio_bad.ko what=lockdep|atomic|leak
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "the mistake to make");

static DEFINE_MUTEX(bad_a);
static DEFINE_MUTEX(bad_b);
static DEFINE_SPINLOCK(bad_lock);

static void bad_lock_order(void)
{
	mutex_lock(&bad_a);
	mutex_lock(&bad_b);
	mutex_unlock(&bad_b);
	mutex_unlock(&bad_a);

	mutex_lock(&bad_b);
	mutex_lock(&bad_a);
	mutex_unlock(&bad_a);
	mutex_unlock(&bad_b);
}

static void bad_sleep(void)
{
	spin_lock(&bad_lock);
	msleep(20);
	spin_unlock(&bad_lock);
}

/* Many, since a stale pointer on some stack may hide one or the other. */
static int bad_leak(void)
{
	void *volatile p;
	int i;

	for (i = 0; i < 16; i++) {
		p = kmalloc(100 + i, GFP_KERNEL);
		if (!p)
			return -ENOMEM;
	}
	return 0;
}

static int __init bad_init(void)
{
	if (!strcmp(what, "lockdep"))
		bad_lock_order();
	else if (!strcmp(what, "atomic"))
		bad_sleep();
	else if (!strcmp(what, "leak"))
		return bad_leak();
	else
		return -EINVAL;
	return 0;
}
module_init(bad_init);

static void __exit bad_exit(void)
{
}
module_exit(bad_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("pvio: mistakes for a debug kernel to notice");
