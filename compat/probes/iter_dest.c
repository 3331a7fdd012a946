// SPDX-License-Identifier: GPL-2.0-only
/* The directions of iterators have names of their own. */
#include <linux/uio.h>

int pvio_probe(void);
int pvio_probe(void)
{
	return ITER_DEST - ITER_SOURCE;
}
