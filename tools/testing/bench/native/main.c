// SPDX-License-Identifier: GPL-2.0-only
/*
 * native-ENGINE split|packed SHAPE BATCH ROUNDS - serves a full ring ROUNDS times, and prints how
 * many chains these were, and for each of ten parts of them the ns of a chain when it went fastest:
 * others use the machine as well. Under callgrind only what the engine does is collected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include "native.h"

#define PARTS	10u
#define WARM	8u

static const char * const shapes[] = {
	[NATIVE_ONE] = "one",
	[NATIVE_THREE] = "three",
	[NATIVE_INDIRECT] = "indirect",
	[NATIVE_TURNS] = "turns",
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static enum native_shape find_shape(const char *name)
{
	unsigned int i;

	for (i = 0; i < NATIVE_SHAPES; i++)
		if (!strcmp(shapes[i], name))
			return i;
	fprintf(stderr, "no shape %s\n", name);
	exit(2);
}

/* Serves one filling of the ring; returns the ns that took. */
static uint64_t serve_all(struct native_ring *r, unsigned int batch)
{
	unsigned int done, n;
	uint64_t start, ns;

	native_guest_fill(r);
	start = now();
	CALLGRIND_TOGGLE_COLLECT;
	for (done = 0; done < NATIVE_CHAINS; done += n) {
		n = native_engine.serve(batch);
		if (n != batch)
			break;
	}
	CALLGRIND_TOGGLE_COLLECT;
	ns = now() - start;
	if (native_engine.relax)
		native_engine.relax();
	native_guest_reap(r);
	return ns;
}

int main(int argc, char **argv)
{
	unsigned int batch, rounds, part, i;
	struct native_ring r;
	const char *why;
	uint64_t ns, least;

	if (argc != 5) {
		fprintf(stderr, "usage: native-ENGINE split|packed SHAPE BATCH ROUNDS\n");
		return 2;
	}
	batch = strtoul(argv[3], NULL, 0);
	rounds = strtoul(argv[4], NULL, 0);
	if (!batch || batch > NATIVE_BATCH || NATIVE_CHAINS % batch || rounds < PARTS)
		return 2;
	native_guest_open(&r, !strcmp(argv[1], "packed"), find_shape(argv[2]));
	why = native_engine.open(&r);
	if (why) {
		printf("cannot %s\n", why);
		return 0;
	}
	if (!RUNNING_ON_VALGRIND)
		for (i = 0; i < WARM; i++)
			serve_all(&r, batch);
	printf("chains %u\n", rounds / PARTS * PARTS * NATIVE_CHAINS);
	for (part = 0; part < PARTS; part++) {
		least = UINT64_MAX;
		for (i = 0; i < rounds / PARTS; i++) {
			ns = serve_all(&r, batch);
			least = ns < least ? ns : least;
		}
		printf("ns %.2f\n", (double)least / NATIVE_CHAINS);
	}
	/* Threads that a library made are not waited for. */
	fflush(stdout);
	quick_exit(0);
}
