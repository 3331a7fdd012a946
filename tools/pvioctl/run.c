// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pvioctl.h"
#include "run.h"

extern char **environ;

/* Its stdout is @out unless that is -1. */
static int spawn(pid_t *pid, const char *const *argv, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all;
	int err;

	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (out != -1)
		posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	err = posix_spawnp(pid, argv[0], &actions, &attr, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run(const char *const *argv)
{
	pid_t pid;

	fflush(stdout);
	return spawn(&pid, argv, -1) ? 127 : status_of(pid);
}

int run_for(const char *const *argv, unsigned int seconds)
{
	const struct timespec step = { .tv_nsec = 10000000 }, grace = { .tv_sec = 1 };
	unsigned long left = seconds * 100ul;
	siginfo_t info;
	pid_t pid;

	fflush(stdout);
	if (spawn(&pid, argv, -1))
		return 127;
	for (; left; left--) {
		info.si_pid = 0;
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			return status_of(pid);
		nanosleep(&step, NULL);
	}
	/* What it has started, too: it must not go on when things are mended. */
	kill(-pid, SIGTERM);
	nanosleep(&grace, NULL);
	kill(-pid, SIGKILL);
	status_of(pid);
	return 124;
}

int run_read(const char *const *argv, char *buf, size_t len)
{
	char rest[512];
	size_t used = 0;
	int fds[2], err;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		die("no pipe: %s", strerror(errno));
	err = spawn(&pid, argv, fds[1]);
	close(fds[1]);
	do {
		bool full = used == len - 1;

		n = err ? 0 : read(fds[0], full ? rest : buf + used,
				   full ? sizeof(rest) : len - 1 - used);
		if (n > 0 && !full)
			used += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	close(fds[0]);
	buf[used] = 0;
	if (used && buf[used - 1] == '\n')
		buf[used - 1] = 0;
	return err ? 127 : status_of(pid);
}
