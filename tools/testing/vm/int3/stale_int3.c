// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakpoints that are no longer there, as emulated CPUs run into them.
 *
 * The kernel changes its own code (static keys, tracepoints, static calls) behind a
 * breakpoint, and at last puts the new instruction's first byte in its place. QEMU's emulation,
 * with a thread for each CPU, drops what it has translated of a page before it stores the byte:
 * a CPU that translates in between keeps the breakpoint, for good, and the kernel dies of an
 * int3 that nobody knows of ("Oops: int3"). A breakpoint that memory has no longer is taken
 * again here, after the page was written to once more, so that its translation goes. One that
 * is still there, such as in the filling between functions, stays the fault that it is.
 */

#include <linux/kdebug.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>

#include <asm/processor-flags.h>
#include <asm/text-patching.h>

static unsigned int taken_again;
module_param(taken_again, uint, 0444);
MODULE_PARM_DESC(taken_again, "How many breakpoints were not there any more");

/*
 * Store what is there at @at, in code that is read only. Interrupts are off. Atomic, as
 * another CPU may be about to store a breakpoint anew.
 */
static void touch(u8 *at)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0" : "=r" (cr0));
	asm volatile("mov %0, %%cr0" : : "r" (cr0 & ~X86_CR0_WP) : "memory");
	asm volatile("lock orb $0, %0" : "+m" (*at) : : "cc");
	asm volatile("mov %0, %%cr0" : : "r" (cr0) : "memory");
}

static int on_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	u8 *at = (u8 *)(regs->ip - INT3_INSN_SIZE);

	if (event != DIE_INT3 || user_mode(regs) || READ_ONCE(*at) == INT3_INSN_OPCODE)
		return NOTIFY_DONE;
	touch(at);
	regs->ip = (unsigned long)at;
	taken_again++;
	return NOTIFY_STOP;
}

static struct notifier_block notifier = {
	.notifier_call = on_die,
	.priority = INT_MAX,
};

static int __init stale_int3_init(void)
{
	return register_die_notifier(&notifier);
}
module_init(stale_int3_init);

static void __exit stale_int3_exit(void)
{
	unregister_die_notifier(&notifier);
}
module_exit(stale_int3_exit);

MODULE_DESCRIPTION("Stale breakpoints of emulated CPUs");
MODULE_LICENSE("GPL");
