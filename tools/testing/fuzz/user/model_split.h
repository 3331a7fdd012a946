/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_MODEL_SPLIT_H
#define _FUZZ_MODEL_SPLIT_H

#include "model.h"

int model_split_pop(struct model *m, unsigned int max);
void model_split_check_publish(const struct model *m);
enum model_answer model_split_notify_needed(const struct model *m);
bool model_split_has_more(const struct model *m);
void model_split_check_wish(const struct model *m);

#endif
