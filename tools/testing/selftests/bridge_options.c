// SPDX-License-Identifier: GPL-2.0-only
/* What the command line says, and where the socket comes from. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridged.h"

/* Debian's nogroup. */
#define NOGROUP	65534

static struct bridged own;

static int options_open(void *ctx)
{
	(void)ctx;
	/* It has the disk for itself. */
	return bridge_common.pid ? bridged_stop(&bridge_common, SIGTERM) : 0;
}

static int options_close(void *ctx)
{
	(void)ctx;
	bridged_forget(&bridge_common);
	return 0;
}

static int start_with(struct env *e, const char *const *more)
{
	CHECK_PASS(bridged_start(&own, e, more));
	e->opts.socket = own.socket;
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	return env_verify(e);
}

static int option_serial(void *ctx)
{
	static const char serial[] = "twenty bytes and more";
	struct env *e = ctx;
	char *got;

	CHECK_PASS(start_with(e, (const char *const[]){ "--serial=twenty bytes and mor", NULL }));
	got = gmem_alloc(&e->b.mem, VIRTIO_BLK_ID_BYTES, 16);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_ID, 0, got, VIRTIO_BLK_ID_BYTES),
		 VIRTIO_BLK_S_OK);
	CHECK(!memcmp(got, serial, VIRTIO_BLK_ID_BYTES), "it says %.20s", got);
	return env_close(e);
}

static int option_workers(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(start_with(e, (const char *const[]){ "--workers=1", NULL }));
	return env_close(e);
}

static int mode_of(const char *path, gid_t gid, mode_t mode)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	CHECK(S_ISSOCK(st.st_mode), "it is no socket");
	CHECK_EQ(st.st_gid, gid);
	CHECK_EQ(st.st_mode & 07777, mode);
	return 0;
}

/* Who may connect is settled before anybody can. */
static int option_group(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(start_with(e, NULL));
	CHECK_PASS(mode_of(own.socket, 0, 0600));
	CHECK_PASS(env_close(e));
	CHECK_PASS(bridged_stop(&own, SIGTERM));
	CHECK_PASS(start_with(e, (const char *const[]){ "--socket-group=nogroup", NULL }));
	CHECK_PASS(mode_of(own.socket, NOGROUP, 0660));
	return env_close(e);
}

/* A daemon on a descriptor, which it is told of by an option or as systemd does. */
static pid_t run_on(const struct env *e, int fd, bool systemd)
{
	char store[256], pid[32];
	const char *argv[5] = { e->bridge, store, "--queues=4", systemd ? NULL : "--fd=3" };
	pid_t child;

	snprintf(store, sizeof(store), "--blk-file=%s", e->store);
	fflush(stdout);
	child = fork();
	if (child)
		return child;
	/* Not closed by the exec. */
	if (dup2(dup(fd), 3) < 0)
		_exit(126);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (systemd && (setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", "1", 1)))
		_exit(126);
	execv(e->bridge, (char *const *)argv);
	_exit(127);
}

/* It ends with the connection. */
static int socket_connected(void *ctx)
{
	struct env *e = ctx;
	int pair[2], status;
	uint64_t features;
	pid_t pid;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = run_on(e, pair[1], false);
	close(pair[1]);
	CHECK_OK(vhost_user_get(pair[0], VHOST_USER_GET_FEATURES, &features));
	close(pair[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "status 0x%x", status);
	return 0;
}

static int socket_of_systemd(void *ctx)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/tmp/bridge-systemd" };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	struct env *e = ctx;
	pid_t pid;

	unlink(a.sun_path);
	CHECK_EQ(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(sock, 4), 0);
	pid = run_on(e, sock, true);
	close(sock);
	e->opts.socket = a.sun_path;
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	CHECK_PASS(env_close(e));
	CHECK_EQ(kill(pid, SIGTERM), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "status 0x%x", status);
	unlink(a.sun_path);
	return 0;
}

/* Where one listens, another one doesn't; what one has left is no obstacle. */
static int socket_taken(void *ctx)
{
	static const char *const shared[] = { "--share=handover", NULL };
	struct env *e = ctx;
	struct bridged other;

	CHECK_PASS(bridged_start(&own, e, shared));
	other = own;
	CHECK_EQ(bridged_refused_at(&other, e, shared), 1);
	CHECK_PASS(bridged_stop(&own, SIGKILL));
	CHECK_PASS(bridged_start(&own, e, shared));
	return bridged_stop(&own, SIGTERM);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(option_serial),
	KTAP_TEST(option_workers),
	KTAP_TEST(option_group),
	KTAP_TEST(socket_connected),
	KTAP_TEST(socket_of_systemd),
	KTAP_TEST(socket_taken),
};

const struct ktap_suite bridge_options_suite = {
	.name = "the command line",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = options_open,
	.teardown = options_close,
};
