/* SPDX-License-Identifier: GPL-2.0-only */
/* Other processes: as VMMs that are killed, and to run commands. */
#ifndef PVIO_SELFTEST_PROC_H
#define PVIO_SELFTEST_PROC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "env.h"

#define VMM_WRITES	4096u	/* each of 8 sectors, numbered from sector 0 on */
#define VMM_LEN		4096u

/* What a VMM process lets its parent know; it survives the VMM. */
struct vmm_report {
	atomic_uint running;
	atomic_uint submitted;
	atomic_uint acked;
	atomic_uchar done[VMM_WRITES];	/* the write was acknowledged, in this generation */
	uint64_t generation;
};

struct vmm_report *vmm_report_make(void);
void vmm_report_free(struct vmm_report *r);

/* Forks a child that runs @fn and exits with its result. Returns its pid or a negative errno. */
pid_t proc_run(int (*fn)(struct env *e, void *arg), struct env *e, void *arg);
/* For a child whose parent is to die first; else it would die as well. */
void proc_outlive_parent(void);
/* Forks a VMM that writes patterns and reports until it is killed; waits until it does I/O. */
pid_t vmm_run(struct env *e, struct vmm_report *r);
/* Kills and reaps. Whether that ended within the hang limit. */
bool proc_kill(pid_t pid);
/*
 * Waits for the end within the hang limit. Returns the exit status, -1 for a death by signal or
 * none.
 */
int proc_wait(pid_t pid);
bool proc_ended(pid_t pid);

/* Starts a command; its output goes to ours. */
pid_t proc_command(const char *const *argv);
/* Whether a process of that number is another program than this one, or has ended. */
bool proc_is_other(pid_t pid);

/* Threads of this process. */
unsigned int proc_threads(void);

#endif
