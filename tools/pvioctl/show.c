// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pvioctl.h"
#include "show.h"

#define COLUMNS_MAX	32

struct record {
	char *cells[COLUMNS_MAX];
	struct record *next;
};

static const char *columns[COLUMNS_MAX];
static unsigned int ncolumns, nfields;
static struct record *first, **last = &first, *now;
static bool any;

void show_begin(void)
{
	if (json)
		fputs("[", stdout);
}

void show_record(void)
{
	if (json) {
		fputs(any ? "},\n {" : "\n {", stdout);
		any = true;
		nfields = 0;
		return;
	}
	now = need(calloc(1, sizeof(*now)));
	*last = now;
	last = &now->next;
}

static void field_name(const char *name)
{
	printf("%s\"%s\": ", nfields++ ? ", " : "", name);
}

static void json_str(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void cell(const char *name, const char *value)
{
	unsigned int i;

	for (i = 0; i < ncolumns && strcmp(columns[i], name); i++)
		;
	if (i == COLUMNS_MAX)
		die("too many columns");
	if (i == ncolumns)
		columns[ncolumns++] = name;
	now->cells[i] = need(strdup(value));
}

void show_str(const char *name, const char *value)
{
	if (!json) {
		cell(name, *value ? value : "-");
		return;
	}
	field_name(name);
	json_str(value);
}

void show_none(const char *name)
{
	if (!json) {
		cell(name, "-");
		return;
	}
	field_name(name);
	fputs("null", stdout);
}

void show_u64(const char *name, uint64_t value)
{
	char text[24];

	if (json) {
		field_name(name);
		printf("%llu", (unsigned long long)value);
		return;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	cell(name, text);
}

void show_list(const char *name, const uint64_t *values, unsigned int n)
{
	unsigned int i;

	if (!json)
		return;
	field_name(name);
	for (i = 0; i < n; i++)
		printf("%s%llu", i ? ", " : "[", (unsigned long long)values[i]);
	fputs(n ? "]" : "[]", stdout);
}

static void print_row(const char *const *cells, const size_t *width)
{
	unsigned int i;

	for (i = 0; i < ncolumns; i++) {
		const char *text = cells[i] ? cells[i] : "-";

		if (i + 1 < ncolumns)
			printf("%-*s  ", (int)width[i], text);
		else
			puts(text);
	}
}

static void print_table(void)
{
	size_t width[COLUMNS_MAX] = { 0 };
	const struct record *r;
	unsigned int i;

	for (i = 0; i < ncolumns; i++) {
		width[i] = strlen(columns[i]);
		for (r = first; r; r = r->next)
			if (r->cells[i] && strlen(r->cells[i]) > width[i])
				width[i] = strlen(r->cells[i]);
	}
	print_row(columns, width);
	for (r = first; r; r = r->next)
		print_row((const char *const *)r->cells, width);
}

void show_end(void)
{
	if (json)
		fputs(any ? "}\n]\n" : "]\n", stdout);
	else
		print_table();
}
