/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules of pvio: which of them the kernel has, and which modprobe would load. */
#ifndef PVIOCTL_MODULE_H
#define PVIOCTL_MODULE_H

#include <stdbool.h>

#define MODULES_MAX	5
#define MODULE_OPTIONS	8

struct module {
	const char *name;
	char loaded[96];	/* its version, and the sum of its sources */
	char installed[96];
	char option[MODULE_OPTIONS][128];	/* NAME=VALUE, as its parameters are now */
	unsigned int nr_options;
};

/*
 * Those that are loaded, in an order in which they can be removed. Returns how many. Ends the
 * program where the installed ones would not load in their place.
 */
unsigned int modules_find(const char *command, struct module *modules);

/*
 * Waits up to ten seconds until nobody uses the modules from @first on, of the @n that are
 * loaded, in @modules, but one another. Returns the one that is in use, or NULL.
 */
const struct module *modules_in_use(const struct module *modules, unsigned int first,
				    unsigned int n);

/* Tries for ten seconds. Returns 0 or a negative errno. */
int module_remove(const struct module *m);
/* With the parameters that the former one had. */
int module_load(const struct module *m);

#endif
