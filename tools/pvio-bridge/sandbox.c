// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left of the process once all is open: another user, no way to more rights, and the system
 * calls that move descriptors and memory about.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <linux/vhost.h>

#include "options.h"
#include "sandbox.h"
#include "say.h"

static const struct passwd *become;

void sandbox_prepare(const struct options *o)
{
	if (!o->user)
		return;
	become = getpwnam(o->user);
	if (!become)
		die(0, "there is no user %s", o->user);
}

static void drop_privileges(const struct options *o)
{
	if (!become)
		return;
	if (setgroups(0, NULL) || setresgid(become->pw_gid, become->pw_gid, become->pw_gid) ||
	    setresuid(become->pw_uid, become->pw_uid, become->pw_uid))
		die(-errno, "can't become user %s", o->user);
	if (become->pw_uid && !setuid(0))
		die(0, "user %s can become root again", o->user);
}

/* Whatever their arguments; some are the C library's names for others, on other machines. */
static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(fallocate), SCMP_SYS(close),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(accept4), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fcntl), SCMP_SYS(futex),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Of ioctls those of vhost alone, and some for a kind; memory that is mapped is not run. */
static int add_rules(scmp_filter_ctx ctx, const struct kind *kind)
{
	const uint64_t type = (uint64_t)_IOC_TYPEMASK << _IOC_TYPESHIFT;
	const unsigned int *cmd = kind->ioctls;
	unsigned int i;
	int err = 0;

	for (i = 0; i < sizeof(calls) / sizeof(*calls) && !err; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, type,
					       (uint64_t)VHOST_VIRTIO << _IOC_TYPESHIFT));
	for (; cmd && *cmd && !err; cmd++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_EQ, *cmd));
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return err;
}

static void filter_calls(const struct kind *kind)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = ctx ? add_rules(ctx, kind) : -ENOMEM;

	if (!err)
		err = seccomp_load(ctx);
	if (err)
		die(err, "system calls can't be filtered");
	seccomp_release(ctx);
}

void sandbox_enter(const struct options *o)
{
	drop_privileges(o);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die(-errno, "can't do without new privileges");
	/* What is in its memory is the guest's. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		die(-errno, "can't be kept from dumping core");
	if (o->sandbox)
		filter_calls(o->kind);
}
