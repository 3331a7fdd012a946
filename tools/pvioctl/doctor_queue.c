// SPDX-License-Identifier: GPL-2.0-only
/* The queues: does one stand still, and can that be seen at all. */
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor.h"
#include "family.h"
#include "files.h"

/* The number of the first user namespace's file, PROC_USER_INIT_INO in the kernel. */
#define FIRST_USER_NS	0xeffffffdu

static bool sees_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct stat st;

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN) &&
	       (stat("/proc/self/ns/user", &st) || st.st_ino == FIRST_USER_NS);
}

static void find_broken(const struct nlattr *const *a, void *arg)
{
	(void)arg;
	if (!a[PVIO_A_QUEUE_DEV_NAME] || !a[PVIO_A_QUEUE_INDEX] || !a[PVIO_A_QUEUE_STATE] ||
	    !(mnl_attr_get_u32(a[PVIO_A_QUEUE_STATE]) & PVIO_QUEUE_STATE_BROKEN))
		return;
	doctor_found(DOCTOR_WRONG, "reset the VM",
		     "queue %u of %s is broken: %s", mnl_attr_get_u32(a[PVIO_A_QUEUE_INDEX]),
		     mnl_attr_get_str(a[PVIO_A_QUEUE_DEV_NAME]),
		     a[PVIO_A_QUEUE_WHY] ? mnl_attr_get_str(a[PVIO_A_QUEUE_WHY]) : "see dmesg");
}

void doctor_queues(void)
{
	static const char mend[] = "pvioctl doctor, as root in the first namespaces";
	const char *why;
	int err;

	/* That it isn't loaded has been found already. */
	if (!module_loaded("pvio_vhost"))
		return;
	err = family_dump(PVIO_CMD_QUEUE_GET, PVIO_A_QUEUE_MAX, find_broken, NULL, &why);
	if (err)
		doctor_blind(mend, "queues could not be seen: %s", *why ? why : strerror(-err));
	else if (!sees_all())
		doctor_blind(mend, "queues could not be seen: %s",
			     "those of other users, without CAP_NET_ADMIN");
}
