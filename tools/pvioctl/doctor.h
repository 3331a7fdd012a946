/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIOCTL_DOCTOR_H
#define PVIOCTL_DOCTOR_H

#include <stdbool.h>

/* A note is worth knowing, and stands in nobody's way. */
enum doctor_level {
	DOCTOR_NOTE,
	DOCTOR_WRONG,
};

/* One finding: what mends it, and what it is. */
void doctor_found(enum doctor_level level, const char *mend, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* A note of what couldn't be looked at. */
void doctor_blind(const char *mend, const char *what, ...) __attribute__((format(printf, 2, 3)));

/* Calls that print what they find. */
void doctor_kernel(void);
void doctor_modules(void);
void doctor_vdpa(void);
void doctor_nodes(void);
void doctor_vmms(void);
void doctor_queues(void);

#endif
