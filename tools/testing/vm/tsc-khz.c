// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the frequency of this machine's TSC in kHz. Each reading of the clock
 * lies between two of the TSC; the ones with the least between them count, so
 * the result holds on a busy machine too.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	uint64_t tsc;
	uint64_t ns;
};

static struct reading read_both(void)
{
	struct reading best = { 0 };
	uint64_t before, after, least = UINT64_MAX;
	struct timespec ts;
	int i;

	for (i = 0; i < 1000; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		after = __rdtsc();
		if (after - before < least) {
			least = after - before;
			best.tsc = before + least / 2;
			best.ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 300000000 };
	struct reading start = read_both(), end;

	nanosleep(&pause, NULL);
	end = read_both();
	printf("%.0f\n", (end.tsc - start.tsc) * 1e6 / (end.ns - start.ns));
	return 0;
}
