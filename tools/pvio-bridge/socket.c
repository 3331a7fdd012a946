// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "options.h"
#include "say.h"
#include "socket.h"

/* systemd's first descriptor (sd_listen_fds(3)). */
#define LISTEN_FDS_START	3

static int from_systemd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return -1;
	return strcmp(fds, "1") ? -EINVAL : LISTEN_FDS_START;
}

/* With its rights from the start: somebody else's link may be at the path a moment later. */
static int bind_for_group(int sock, const struct sockaddr_un *a, const char *name)
{
	const struct group *g = name ? getgrnam(name) : NULL;
	mode_t mask;
	int err;

	if (name && !g)
		return -ENOENT;
	if (g && setegid(g->gr_gid))
		return -errno;
	mask = umask(g ? 0117 : 0177);
	err = bind(sock, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
	umask(mask);
	if (g && setegid(getgid()))
		err = -errno;
	return err;
}

/* What a predecessor left is in the way; where somebody listens it is his. */
static int remove_stale(const struct sockaddr_un *a)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;
	int err = 0;

	if (sock < 0)
		return -errno;
	/* With EAGAIN there are so many that one more has to wait. */
	if (!connect(sock, (const struct sockaddr *)a, sizeof(*a)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED && !lstat(a->sun_path, &st) && S_ISSOCK(st.st_mode))
		err = unlink(a->sun_path) ? -errno : 0;
	close(sock);
	return err;
}

static int listen_at(const struct options *o)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int sock, err;

	if (strlen(o->socket_path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, o->socket_path, strlen(o->socket_path) + 1);
	err = remove_stale(&a);
	if (err)
		return err;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	err = bind_for_group(sock, &a, o->socket_group);
	if (!err && listen(sock, 1))
		err = -errno;
	if (!err)
		return sock;
	close(sock);
	return err;
}

static int check(int sock, bool *listens)
{
	int is = 0;
	socklen_t len = sizeof(is);

	if (getsockopt(sock, SOL_SOCKET, SO_ACCEPTCONN, &is, &len))
		return -errno;
	*listens = is;
	if (fcntl(sock, F_SETFD, FD_CLOEXEC) || fcntl(sock, F_SETFL, O_NONBLOCK))
		return -errno;
	return 0;
}

int socket_get(const struct options *o, bool *listens)
{
	int sock = o->socket_path ? -1 : o->socket_fd, err;

	if (!o->socket_path && sock < 0)
		sock = from_systemd();
	if (o->socket_path)
		sock = listen_at(o);
	else if (sock == -1)
		die(0, "there is no socket: give --socket-path or --fd");
	err = sock < 0 ? sock : check(sock, listens);
	if (!err)
		return sock;
	if (o->socket_path)
		say_err(err, "%s can't be listened to", o->socket_path);
	else
		say_err(err, "descriptor %d is no socket to use", sock);
	return err;
}

int socket_accept(int sock)
{
	int fd = accept4(sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void socket_notify(void)
{
	static const char ready[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int sock;

	if (!len || len > sizeof(a.sun_path))
		return;
	memcpy(a.sun_path, path, len);
	if (*path == '@')
		*a.sun_path = 0;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || sendto(sock, ready, sizeof(ready) - 1, MSG_NOSIGNAL,
			       (const struct sockaddr *)&a,
			       offsetof(struct sockaddr_un, sun_path) + len) < 0)
		say_err(-errno, "systemd can't be told that this has started");
	if (sock >= 0)
		close(sock);
}
