// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridged.h"

#define MORE_MAX	4u
#define RUNNING_MAX	8u
/* Anybody without privileges. */
#define USER		"nobody"

/* Appends up to MORE_MAX texts, up to a NULL. */
static unsigned int append(const char **argv, unsigned int n, const char *const *more)
{
	unsigned int i;

	for (i = 0; more && more[i] && i < MORE_MAX; i++)
		argv[n++] = more[i];
	return n;
}

static pid_t run(const struct bridged *d, const struct env *e, const char *const *more)
{
	char path[96], store[256], queues[32];
	const char *const disk[] = { store, queues, NULL };
	const char *argv[4 + 2 * MORE_MAX] = { e->bridge };
	unsigned int n;
	pid_t pid;

	snprintf(path, sizeof(path), "--socket-path=%s", d->socket);
	snprintf(store, sizeof(store), "--blk-file=%s", e->store);
	snprintf(queues, sizeof(queues), "--queues=%u", BRIDGE_QUEUES);
	/* The kind is the first argument. */
	n = append(argv, 1, d->kind ? d->kind : disk);
	n = append(argv, n, (const char *const[]){ path, "--user=" USER, NULL });
	append(argv, n, more);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(e->bridge, (char *const *)argv);
	_exit(127);
}

static void name_socket(struct bridged *d)
{
	static unsigned int nr;

	snprintf(d->socket, sizeof(d->socket), "/tmp/bridge-%d-%u", getpid(), nr++);
}

/* It listens, or has ended. */
static int await_listening(const struct bridged *d)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	int sock;

	while (vhost_user_connect(d->socket, &sock)) {
		CHECK(waitpid(d->pid, NULL, WNOHANG) == 0, "the bridge has ended");
		CHECK(blk_now_ms() < end, "the bridge doesn't listen");
		usleep(10000);
	}
	close(sock);
	return 0;
}

/* Those that run, for a test that fails half-way. */
static pid_t running[RUNNING_MAX];

static void note_running(pid_t pid, bool runs)
{
	unsigned int i = 0;

	while (i < RUNNING_MAX - 1 && running[i] != (runs ? 0 : pid))
		i++;
	running[i] = runs ? pid : 0;
}

void bridged_forget(const struct bridged *but)
{
	unsigned int i;

	for (i = 0; i < RUNNING_MAX; i++) {
		if (!running[i] || running[i] == but->pid)
			continue;
		kill(running[i], SIGKILL);
		waitpid(running[i], NULL, 0);
		running[i] = 0;
	}
}

int bridged_start(struct bridged *d, struct env *e, const char *const *more)
{
	if (!d->socket[0])
		name_socket(d);
	d->pid = run(d, e, more);
	CHECK(d->pid > 0, "no process");
	note_running(d->pid, true);
	return await_listening(d);
}

int bridged_refused_at(const struct bridged *d, struct env *e, const char *const *more)
{
	pid_t pid = run(d, e, more);
	int status;

	CHECK(pid > 0, "no process");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status), "it died by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

int bridged_refused(struct env *e, const char *const *more)
{
	struct bridged d = { };
	int status;

	name_socket(&d);
	status = bridged_refused_at(&d, e, more);
	unlink(d.socket);
	return status;
}

int bridged_stop(struct bridged *d, int sig)
{
	pid_t pid = d->pid;
	int status;

	d->pid = 0;
	CHECK_EQ(kill(pid, sig), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	note_running(pid, false);
	if (sig == SIGKILL)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status 0x%x", status);
	else
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "status 0x%x", status);
	return 0;
}

unsigned int bridged_fds(const struct bridged *d)
{
	char path[64];
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", d->pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}
