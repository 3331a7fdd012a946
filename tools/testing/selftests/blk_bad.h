/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of bad input, and what they share. */
#ifndef PVIO_SELFTEST_BLK_BAD_H
#define PVIO_SELFTEST_BLK_BAD_H

#include "env.h"

extern const struct ktap_suite blk_bad_message_suite;
extern const struct ktap_suite blk_bad_request_suite;
extern const struct ktap_suite blk_bad_chain_suite;
extern const struct ktap_suite blk_bad_indirect_suite;
extern const struct ktap_suite blk_bad_ring_suite;
extern const struct ktap_suite blk_bad_setup_suite;
extern const struct ktap_suite blk_bad_iotlb_suite;
extern const struct ktap_suite blk_bad_memory_suite;

/* An address that no test maps. */
#define BAD_IOVA	0x5555000000000ull

/*
 * Queue 0 has been given something that breaks it: the device has to say so, queue 0 has to stand
 * still, the others have to go on, and a reset has to heal.
 */
int bad_expect_broken(struct env *e);
/*
 * For input on which interfaces differ: queue 0 either returns @r with any status, or is broken
 * as above; it does not hang. A reset heals.
 */
int bad_expect_any(struct env *e, const struct blk_req *r);

#endif
