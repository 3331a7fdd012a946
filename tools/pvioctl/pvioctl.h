/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIOCTL_H
#define PVIOCTL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXIT_USAGE	2

/* Each prints a line that begins with "pvioctl: "; all but complain() end the program. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void *need(void *p);

/* What is left of the command line. */
struct args {
	int argc;
	char **argv;
	const char *command;
};

/* The next option's name without its dashes, NULL for the end; *value is what follows its =. */
const char *args_option(struct args *a, const char **value);
/* The option's value: the next word, unless there was a = already. */
const char *args_value(struct args *a, const char *option, const char *value);
/* A word, or an error that says what was expected. */
const char *args_word(struct args *a, const char *what);
/* A word, or NULL where there is none. */
const char *args_word_or_none(struct args *a);
void args_end(const struct args *a);

extern bool json;

int cmd_list(struct args *a);
int cmd_stats(struct args *a);
int cmd_blk_add(struct args *a);
int cmd_blk_del(struct args *a);
int cmd_blk_list(struct args *a);
int cmd_blk_resize(struct args *a);
int cmd_doctor(struct args *a);
int cmd_upgrade(struct args *a);

void blk_add_help(FILE *f);
void upgrade_help(FILE *f);

#endif
