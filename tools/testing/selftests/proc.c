// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"

#define VMM_DEPTH	32u
#define VMM_QUEUES	8u

struct vmm_report *vmm_report_make(void)
{
	void *p = mmap(NULL, sizeof(struct vmm_report), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void vmm_report_free(struct vmm_report *r)
{
	munmap(r, sizeof(*r));
}

pid_t proc_run(int (*fn)(struct env *e, void *arg), struct env *e, void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid)
		return pid;
	alarm(0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(fn(e, arg) ? 1 : 0);
}

void proc_outlive_parent(void)
{
	prctl(PR_SET_PDEATHSIG, 0);
}

struct vmm {
	struct env *e;
	struct vmm_report *report;
	struct blk_req reqs[VMM_QUEUES][VMM_DEPTH];
	unsigned int write[VMM_QUEUES][VMM_DEPTH];	/* which one it carries out */
	uint8_t *bufs[VMM_QUEUES][VMM_DEPTH];
	unsigned int next;
};

static int vmm_submit(struct vmm *v, unsigned int q, unsigned int i)
{
	unsigned int n = v->next++ % VMM_WRITES;

	v->write[q][i] = n;
	pattern_fill(v->bufs[q][i], VMM_LEN, n * 8, v->report->generation);
	blk_req_usual(&v->reqs[q][i], VIRTIO_BLK_T_OUT, n * 8, v->bufs[q][i], VMM_LEN);
	v->report->submitted++;
	return blk_queue(&v->e->b, q, &v->reqs[q][i], RING_INDIRECT);
}

/* Acknowledges what is done and submits anew in its place. */
static int vmm_turn(struct vmm *v, unsigned int q)
{
	unsigned int i;
	int err = 0;

	if (blk_collect(&v->e->b, q) < 0)
		return -EBADMSG;
	for (i = 0; i < VMM_DEPTH && !err; i++) {
		struct blk_req *r = &v->reqs[q][i];

		if (!r->done)
			continue;
		if (*r->status)
			return -EIO;
		v->report->done[v->write[q][i]] = 1;
		v->report->acked++;
		err = vmm_submit(v, q, i);
	}
	ring_flush(&v->e->b.rings[q]);
	return err;
}

static int vmm_main(struct env *e, void *arg)
{
	static struct vmm v;
	unsigned int q, i, n;

	v.e = e;
	v.report = arg;
	if (env_start(e))
		return 1;
	n = e->b.nqueues < VMM_QUEUES ? e->b.nqueues : VMM_QUEUES;
	for (q = 0; q < n; q++) {
		for (i = 0; i < VMM_DEPTH; i++) {
			blk_req_init(&e->b, &v.reqs[q][i]);
			v.bufs[q][i] = gmem_alloc(&e->b.mem, VMM_LEN, VMM_LEN);
			if (vmm_submit(&v, q, i))
				return 1;
		}
		ring_flush(&e->b.rings[q]);
	}
	v.report->running = 1;
	for (;;) {
		for (q = 0; q < n; q++)
			if (vmm_turn(&v, q))
				return 1;
		ring_wait(&e->b.rings[0], 10);
	}
}

pid_t vmm_run(struct env *e, struct vmm_report *r)
{
	pid_t pid;

	memset(r->done, 0, sizeof(r->done));
	r->generation++;
	r->running = 0;
	r->submitted = 0;
	r->acked = 0;
	pid = proc_run(vmm_main, e, r);
	while (pid > 0 && !r->running) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -ECHILD;
		usleep(1000);
	}
	return pid;
}

bool proc_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid == pid;
}

int proc_wait(pid_t pid)
{
	unsigned int ms;
	int status;

	for (ms = 0; !proc_ended(pid); ms += 10) {
		if (ms > BLK_HANG_LIMIT_MS)
			return -1;
		usleep(10000);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool proc_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	proc_wait(pid);
	return kill(pid, 0) < 0 && errno == ESRCH;
}

pid_t proc_command(const char *const *argv)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

bool proc_is_other(pid_t pid)
{
	char path[64], own[512], other[512];
	ssize_t n, m;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink("/proc/self/exe", own, sizeof(own));
	m = readlink(path, other, sizeof(other));
	return m < 0 || m != n || memcmp(own, other, n);
}

unsigned int proc_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}
