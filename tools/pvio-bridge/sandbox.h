/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_SANDBOX_H
#define PVIO_BRIDGE_SANDBOX_H

struct options;

/* Who the process becomes, looked up while that is possible. Ends it where there is nobody such. */
void sandbox_prepare(const struct options *o);

/* Gives up what serving a VMM doesn't take; ends the process where that can't be done. */
void sandbox_enter(const struct options *o);

#endif
