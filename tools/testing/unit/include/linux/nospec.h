/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_NOSPEC_H
#define _UNIT_LINUX_NOSPEC_H

#define array_index_nospec(index, size)					\
({									\
	const typeof(index) __index = (index);				\
									\
	(typeof(index))(__index < (size) ? __index : 0);		\
})

#endif
