/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIOCTL_H
#define PVIOCTL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE	2

/* Prints "pvioctl: ..." and ends the program. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *need(void *p);

/* --name VALUE or --name=VALUE, or a word that is no option. */
struct args {
	int argc;
	char **argv;
	const char *command;
};

/* The next option's name, NULL for the end; *value is its value or NULL. */
const char *args_option(struct args *a, const char **value);
/* A word, or an error that says what was expected. */
const char *args_word(struct args *a, const char *what);
void args_end(const struct args *a);

extern bool json;

int cmd_list(struct args *a);
int cmd_stats(struct args *a);
int cmd_blk(struct args *a);
int cmd_doctor(struct args *a);

#endif
