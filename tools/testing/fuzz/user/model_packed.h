/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_MODEL_PACKED_H
#define _FUZZ_MODEL_PACKED_H

#include "model.h"

int model_packed_pop(struct model *m, unsigned int max);
void model_packed_check_publish(const struct model *m);
enum model_answer model_packed_notify_needed(const struct model *m);
bool model_packed_has_more(const struct model *m);
void model_packed_check_wish(const struct model *m);

#endif
