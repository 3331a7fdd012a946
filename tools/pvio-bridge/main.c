// SPDX-License-Identifier: GPL-2.0-only
/*
 * pvio-bridge: a device of the kernel for a VMM that speaks vhost-user. This process maps the VMM's
 * memory and tells the kernel where it is; the kernel's threads, which are threads of this process,
 * do the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "options.h"
#include "sandbox.h"
#include "say.h"
#include "session.h"
#include "socket.h"

/*
 * struct bridge - the process
 * @epoll: what it waits for
 * @signals: SIGTERM, SIGINT, SIGHUP
 * @listener: where VMMs connect; -1: one is connected, and there will be no other
 */
struct bridge {
	int epoll;
	int signals;
	int listener;
	bool stop;
	struct session session;
};

static void watch(struct bridge *b, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e))
		die(-errno, "can't wait for events");
}

static void unwatch(struct bridge *b, int fd)
{
	epoll_ctl(b->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		die(-errno, "can't block signals");
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die(-errno, "can't wait for signals");
	return fd;
}

/* One VMM at a time: others wait in the socket's queue. */
static void begin(struct bridge *b, int sock)
{
	if (b->listener >= 0)
		unwatch(b, b->listener);
	session_begin(&b->session, sock);
	watch(b, sock);
}

static void ended(struct bridge *b)
{
	struct session *s = &b->session;

	if (b->listener < 0) {
		b->stop = true;
		return;
	}
	if (session_init(s, s->options))
		die(0, "there is no device for another VMM");
	watch(b, b->listener);
}

static void refresh(const struct session *s)
{
	if (s->kind->refresh)
		s->kind->refresh(&s->node);
}

static void take_signals(struct bridge *b)
{
	struct signalfd_siginfo s;

	while (read(b->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGHUP)
			refresh(&b->session);
		else
			b->stop = true;
	}
}

static void take_event(struct bridge *b, int fd)
{
	int sock;

	if (fd == b->signals) {
		take_signals(b);
	} else if (fd == b->listener) {
		sock = socket_accept(fd);
		if (sock >= 0)
			begin(b, sock);
	} else if (fd == b->session.config_event) {
		session_config_changed(&b->session);
	} else if (fd == b->session.sock) {
		session_receive(&b->session);
		if (b->session.sock < 0)
			ended(b);
	}
}

static void serve(struct bridge *b)
{
	struct epoll_event e;
	int n;

	while (!b->stop) {
		n = epoll_wait(b->epoll, &e, 1, -1);
		if (n < 0 && errno != EINTR)
			die(-errno, "can't wait for events");
		if (n == 1)
			take_event(b, e.data.fd);
	}
	if (b->session.sock >= 0)
		session_end(&b->session);
}

static void open_node(const struct options *o, struct node *n)
{
	unsigned int i;

	n->queues = o->kind->unit ? o->kind->unit : o->kind->served ? o->kind->served : o->queues;
	n->count = o->kind->served ? 1 : o->queues / n->queues;
	for (i = 0; i < n->count; i++) {
		n->fd[i] = open(o->node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (n->fd[i] < 0)
			die(-errno, "%s can't be opened%s", o->node,
			    errno == ENOENT ? " (is the module loaded?)" : "");
	}
}

int main(int argc, char **argv)
{
	static struct bridge b;
	struct options o;
	bool listens;
	int sock;

	options_parse(&o, argc, argv);
	/* Who reads what it says may go. */
	signal(SIGPIPE, SIG_IGN);
	sandbox_prepare(&o);
	b.signals = open_signals();
	b.epoll = epoll_create1(EPOLL_CLOEXEC);
	b.session.config_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b.epoll < 0 || b.session.config_event < 0)
		die(-errno, "can't wait for events");
	if (o.kind->open(&o))
		return 1;
	open_node(&o, &b.session.node);
	if (session_init(&b.session, &o))
		return 1;
	sock = socket_get(&o, &listens);
	if (sock < 0)
		return 1;
	socket_notify();
	sandbox_enter(&o);

	watch(&b, b.signals);
	watch(&b, b.session.config_event);
	b.listener = listens ? sock : -1;
	if (listens)
		watch(&b, sock);
	else
		begin(&b, sock);
	serve(&b);
	return 0;
}
