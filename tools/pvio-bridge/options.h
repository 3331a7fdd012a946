/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_OPTIONS_H
#define PVIO_BRIDGE_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "kind.h"
#include "node.h"

/*
 * enum share - who else may use what is behind the device
 * @SHARE_NO: nobody, from the start of this process to its end
 * @SHARE_HANDOVER: nobody while the VM's queues run
 * @SHARE_YES: anybody
 */
enum share {
	SHARE_NO,
	SHARE_HANDOVER,
	SHARE_YES,
};

/*
 * struct options - the command line
 * @kind: of device
 * @node: path of the kernel's device
 * @socket_path: where VMMs connect; NULL: @socket_fd
 * @socket_fd: a socket that listens, or is connected to a VMM
 * @socket_group: who may connect beside this user
 * @user: whom to become; NULL: nobody else
 * @queues: how many the device has
 * @workers: threads that serve them; 0: each has its own
 * @path: what is behind it: of a disk a path, of a network a tap
 * @guest_cid: of a vsock, the VM's
 * @readonly: without the right to write
 * @share: who else may use it
 * @serial: of the disk
 * @sandbox: give up what is not needed
 */
struct options {
	const struct kind *kind;
	const char *node;
	const char *socket_path;
	int socket_fd;
	const char *socket_group;
	const char *user;
	unsigned int queues;
	unsigned int workers;
	const char *path;
	unsigned int guest_cid;
	bool readonly;
	enum share share;
	const char *serial;
	bool sandbox;
};

/* Ends the process where it can't be understood, or asks for no more than an answer. */
void options_parse(struct options *o, int argc, char **argv);

#endif
