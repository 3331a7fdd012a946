// SPDX-License-Identifier: GPL-2.0-only
/* A file says whether its data must stay as it is while it is written. */
#include <linux/pagemap.h>

bool pvio_probe(struct address_space *mapping);
bool pvio_probe(struct address_space *mapping)
{
	return mapping_stable_writes(mapping);
}
