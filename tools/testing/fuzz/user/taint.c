// SPDX-License-Identifier: GPL-2.0-only
/*
 * taint FILE... - run inputs of the target ring, and follow what comes from the driver: it may
 * index no array of the engine, and make no address, before it has passed array_index_nospec().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/common_interface_defs.h>
#include <sanitizer/dfsan_interface.h>

#include <linux/compiler.h>

#include "input.h"

#define TAINT_GUEST	1
#define TAINT_PLACES	64
#define TAINT_INPUT_MAX	4096

static const void *taint_places[TAINT_PLACES];
static unsigned int taint_nplaces;
static unsigned long taint_indices, taint_reads;

/* Each place is told once. */
static void taint_found(const char *what, void *pc)
{
	char where[256];
	unsigned int i;

	for (i = 0; i < taint_nplaces; i++)
		if (taint_places[i] == pc)
			return;
	if (taint_nplaces == TAINT_PLACES)
		return;
	taint_places[taint_nplaces++] = pc;
	__sanitizer_symbolize_pc((char *)pc - 1, "%f %s:%l", where, sizeof(where));
	printf("%s in %s\n", what, where);
}

/* The compiler puts it before each use of an index in the engine. */
void __dfsw___sanitizer_cov_trace_gep(uintptr_t index, dfsan_label label);
void __dfsw___sanitizer_cov_trace_gep(uintptr_t index, dfsan_label label)
{
	taint_indices++;
	if (label & TAINT_GUEST)
		taint_found("index", __builtin_return_address(0));
}

void fuzz_taint(const volatile void *from, void *val, size_t len)
{
	uintptr_t addr = (uintptr_t)from;

	taint_reads++;
	if (dfsan_read_label(&addr, sizeof(addr)) & TAINT_GUEST)
		taint_found("address", __builtin_return_address(0));
	dfsan_set_label(TAINT_GUEST, val, len);
}

void fuzz_untaint(void *val, size_t len)
{
	dfsan_set_label(0, val, len);
}

static void taint_run(const char *path)
{
	static uint8_t data[TAINT_INPUT_MAX];
	FILE *f = fopen(path, "r");
	size_t len;

	if (!f) {
		perror(path);
		exit(2);
	}
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	fuzz_one_input(data, len);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		taint_run(argv[i]);
	printf("%d inputs, %lu reads of the driver's memory, %lu indices, %u places\n", argc - 1,
	       taint_reads, taint_indices, taint_nplaces);
	/* Where nothing was followed nothing was found. */
	return taint_nplaces || !taint_reads || !taint_indices;
}
