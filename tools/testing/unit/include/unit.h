/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_H
#define _UNIT_H

/* What user space alone can do to the engine: make what it calls fail. */

/* This many copies from guest memory succeed, then one faults; negative: none. */
extern long unit_fault_countdown;

/* This many stores that others see, and the device ends; 0: it doesn't. */
extern long unit_store_countdown;

/* Back to where nothing fails; true if all went well since the last time. */
bool unit_heal(void);

#endif
