/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules of pvio: which of them the kernel has, and which modprobe would load. */
#ifndef PVIOCTL_MODULE_H
#define PVIOCTL_MODULE_H

#include <stdbool.h>

#define MODULES_MAX	2

struct module {
	const char *name;
	char loaded[96];	/* its version, and the sum of its sources */
	char installed[96];
};

/*
 * Those that are loaded, in an order in which they can be removed. Returns how many. Ends the
 * program where the installed ones would not load in their place.
 */
unsigned int modules_find(const char *command, struct module *modules);

/*
 * Waits up to ten seconds until nobody uses the modules from @first on but those before each, of
 * the @n in @modules. Returns the one that is in use, or NULL.
 */
const struct module *modules_in_use(const struct module *modules, unsigned int first,
				    unsigned int n);

/* Tries for ten seconds. Returns 0 or a negative errno. */
int module_remove(const struct module *m);
int module_load(const struct module *m);

#endif
