// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl doctor: looks, and changes nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "doctor.h"
#include "pvioctl.h"
#include "show.h"

static unsigned int found[DOCTOR_WRONG + 1];
static bool blind;

static const char *const level_names[] = {
	[DOCTOR_NOTE] = "note",
	[DOCTOR_WRONG] = "wrong",
};

static void show_finding(enum doctor_level level, const char *mend, const char *what, va_list ap)
{
	char *text;

	if (vasprintf(&text, what, ap) < 0)
		need(NULL);
	found[level]++;
	if (json) {
		show_record();
		show_str("level", level_names[level]);
		show_str("what", text);
		show_str("mend", mend);
	} else {
		printf("%s: %s\n    %s\n", level_names[level], text, mend);
	}
	free(text);
}

void doctor_found(enum doctor_level level, const char *mend, const char *what, ...)
{
	va_list ap;

	va_start(ap, what);
	show_finding(level, mend, what, ap);
	va_end(ap);
}

void doctor_blind(const char *mend, const char *what, ...)
{
	va_list ap;

	blind = true;
	va_start(ap, what);
	show_finding(DOCTOR_NOTE, mend, what, ap);
	va_end(ap);
}

int cmd_doctor(struct args *a)
{
	static void (*const checks[])(void) = {
		doctor_kernel, doctor_modules, doctor_vdpa, doctor_nodes, doctor_vmms,
		doctor_queues,
	};
	unsigned int i;

	args_end(a);
	if (json)
		show_begin();
	for (i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i]();
	if (json)
		show_end();
	else if (!found[DOCTOR_WRONG])
		puts(blind ? "nothing that could be seen stands in the way" :
			     "nothing stands in the way");
	return found[DOCTOR_WRONG] ? EXIT_FAILURE : EXIT_SUCCESS;
}
