/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_LOCK_H
#define PVIO_BRIDGE_LOCK_H

#include <stdbool.h>

/*
 * Locks the file or device behind @fd against everybody who uses it in another way: those who
 * write, and where @write is set those who read. They are advisory, and the same that QEMU takes on
 * images. Returns 0, -EBUSY where somebody has one, or another negative errno. Closing @fd, and
 * every copy of it, unlocks.
 */
int lock_take(int fd, bool write);

void lock_drop(int fd);

/*
 * Locks it against others of the same @name alone. Returns likewise, and 0 where @fd can't be
 * written, and so does no harm.
 */
int lock_take_name(int fd, const char *name);

#endif
