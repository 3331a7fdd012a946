// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "net_gen.h"

#define GEN_DIR	"/proc/net/pktgen"

/* It takes the last byte for the end of a line, and reads on where there is none. */
static int say(const char *file, const char *words)
{
	char path[300], line[100];
	int fd, err = 0, len;

	snprintf(path, sizeof(path), GEN_DIR "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(line, sizeof(line), "%s\n", words);
	if (write(fd, line, len) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int say_number(const char *file, const char *word, unsigned int n)
{
	char words[50];

	snprintf(words, sizeof(words), "%s %u", word, n);
	return say(file, words);
}

/* Nobody but itself may hold a frame: an interface of tap allows no sharing. */
static int describe(const char *ifname, unsigned int len, unsigned int count)
{
	static const char *const words[] = {
		"delay 0", "clone_skb 0", "flag !SHARED", "dst 192.0.2.1",
		"dst_mac 02:00:00:00:00:02", NULL,
	};
	int err = say_number(ifname, "pkt_size", len);
	unsigned int i;

	if (!err)
		err = say_number(ifname, "count", count);
	for (i = 0; words[i] && !err; i++)
		err = say(ifname, words[i]);
	return err;
}

static bool is_named(const char *pid, const char *wanted)
{
	char path[300], name[40] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
	return !strcmp(name, wanted);
}

static int set_policy(const char *thread, int policy)
{
	const struct sched_param param = { .sched_priority = policy == SCHED_FIFO };
	DIR *d = opendir("/proc");
	int err = -ESRCH;
	struct dirent *e;

	if (!d)
		return -errno;
	while (err == -ESRCH && (e = readdir(d)))
		if (isdigit(e->d_name[0]) && is_named(e->d_name, thread))
			err = sched_setscheduler(atoi(e->d_name), policy, &param) ? -errno : 0;
	closedir(d);
	return err;
}

/* To start is to wait for the end, or for a signal. */
static void *serve(void *arg)
{
	static const char start[] = "start\n";
	struct net_gen *g = arg;
	eventfd_t n;

	while (!g->err && !eventfd_read(g->wanted, &n) && g->running)
		if (write(g->control, start, sizeof(start) - 1) < 0 && errno != EINTR)
			g->err = -errno;
	return NULL;
}

static void wake(int sig)
{
	(void)sig;
}

static int start_thread(struct net_gen *g)
{
	struct sigaction action = { .sa_handler = wake };

	sigaction(SIGUSR1, &action, NULL);
	g->wanted = eventfd(0, EFD_CLOEXEC);
	g->control = open(GEN_DIR "/pgctrl", O_WRONLY | O_CLOEXEC);
	if (g->wanted < 0 || g->control < 0)
		return -errno;
	g->running = true;
	return -pthread_create(&g->thread, NULL, serve, g);
}

int net_gen_open(struct net_gen *g, const char *ifname, unsigned int len, unsigned int count,
		 bool whole)
{
	char thread[40], words[60];
	int err;

	*g = (struct net_gen){ .wanted = -1, .control = -1 };
	snprintf(thread, sizeof(thread), "kpktgend_%d", get_nprocs() - 1);
	snprintf(words, sizeof(words), "add_device %s", ifname);
	err = say("pgctrl", "reset");
	if (!err)
		err = say(thread, words);
	if (!err)
		err = describe(ifname, len, count);
	if (!err)
		err = set_policy(thread, whole ? SCHED_FIFO : SCHED_OTHER);
	return err ? err : start_thread(g);
}

int net_gen_go(struct net_gen *g)
{
	if (g->err)
		return g->err;
	return eventfd_write(g->wanted, 1) ? -errno : 0;
}

void net_gen_close(struct net_gen *g)
{
	if (!g->running)
		return;
	g->running = false;
	eventfd_write(g->wanted, 1);
	/* It may be before the write that the signal is to end. */
	while (pthread_tryjoin_np(g->thread, NULL)) {
		pthread_kill(g->thread, SIGUSR1);
		usleep(10000);
	}
	close(g->wanted);
	close(g->control);
	say("pgctrl", "reset");
}
