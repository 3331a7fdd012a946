// SPDX-License-Identifier: GPL-2.0-only
/* Holds on every kernel; shows that the probes can be compiled. */
#include <linux/module.h>

int pvio_probe(void);
int pvio_probe(void)
{
	return 0;
}
