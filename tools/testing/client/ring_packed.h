/* SPDX-License-Identifier: GPL-2.0-only */
/* What ring.h does with packed rings: see there. */
#ifndef PVIO_SELFTEST_RING_PACKED_H
#define PVIO_SELFTEST_RING_PACKED_H

#include "ring.h"

unsigned int ring_packed_base(uint16_t idx, bool wrap);
unsigned int ring_packed_device_base(const struct ring *r);
void ring_packed_restart(struct ring *r, uint16_t base);
/* Writes the next descriptor, which the device sees after ring_packed_publish(). */
void ring_packed_put(struct ring *r, uint64_t addr, uint32_t len, uint16_t flags, uint16_t id);
bool ring_packed_publish(struct ring *r);
uint16_t ring_packed_pending(const struct ring *r);
bool ring_packed_any(const struct ring *r);
/* Takes the next used chain, of which there is one, and returns its ID. */
uint32_t ring_packed_next_used(struct ring *r, uint32_t *len);
void ring_packed_arm_call(struct ring *r, uint16_t ahead);
void ring_packed_suppress_calls(struct ring *r);

#endif
