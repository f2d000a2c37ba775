// SPDX-License-Identifier: MIT
/*
 * Far control transfers by user code to every selector of interest. A hypervisor that keeps code
 * segments of its own in the real descriptor table shows itself here first. Targets are int3
 * bytes; what is printed is where they were reached (CS, RIP, RSP, SS) or the fault.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

#define TARGET 0x100u /* offset of the landing place in the code area */

struct transfer {
	const char *name;
	const char *hex;
	unsigned frame; /* bytes a slot of the stack frame has; 0: far pointer in data */
	unsigned slots; /* of the frame: 2 for lret, 3 for 32-bit iret, 5 for iretq */
};

static const char *landing(const struct event *ev, char *text, size_t size)
{
	const greg_t *g = ev->g;

	if (ev->signo == SIGTRAP && g[REG_TRAPNO] == 3)
		snprintf(text, size, "at %x:%lx ss=%x sp%+ld", greg_cs(g), (uint64_t)g[REG_RIP],
			 greg_ss(g), (long)((uint32_t)g[REG_RSP] - STACK_TOP));
	else
		snprintf(text, size, "%s#%ld/%lx@%lx cs=%x sp%+ld", signal_text(ev->signo),
			 (long)g[REG_TRAPNO], (uint64_t)g[REG_ERR], (uint64_t)g[REG_RIP],
			 greg_cs(g), (long)((uint32_t)g[REG_RSP] - STACK_TOP));
	return text;
}

static void put_slot(unsigned index, unsigned width, uint64_t value)
{
	memcpy((uint8_t *)STACK_TOP + index * width, &value, width);
}

static void put_frame(const struct transfer *t, uint16_t cs, uint16_t ss, uint64_t target)
{
	put_slot(0, t->frame, target);
	put_slot(1, t->frame, cs);
	if (t->slots > 2)
		put_slot(2, t->frame, FL_IF | 2);
	if (t->slots > 3) {
		put_slot(3, t->frame, STACK_TOP + 0x100);
		put_slot(4, t->frame, ss);
	}
}

static void put_pointer(uint16_t cs, uint64_t target, unsigned width)
{
	memcpy((void *)DATA_AT, &target, width);
	memcpy((uint8_t *)DATA_AT + width, &cs, sizeof(cs));
}

static unsigned pointer_width(const char *hex)
{
	if (!strncmp(hex, "48", 2))
		return 8;
	return strncmp(hex, "66", 2) ? 4 : 2;
}

static void transfer_one(const struct transfer *t, uint16_t cs, uint16_t ss, uint64_t target,
			 bool code32, char *text, size_t size)
{
	struct event ev;
	struct shot s;

	data_clear();
	shot_init(&s);
	if (code32)
		shot_cs_ss(&s, USER32_CS, USER_DS);
	code_hex(t->hex);
	if (t->frame)
		put_frame(t, cs, ss, target);
	else
		put_pointer(cs, target, pointer_width(t->hex));
	shot_run(&s, &ev);
	landing(&ev, text, size);
}

static void transfer_all(const struct transfer *ts, size_t count, bool code32, uint64_t target)
{
	size_t selectors;
	const uint16_t *list = selector_list(&selectors);

	for (size_t i = 0; i < selectors; i++) {
		for (size_t k = 0; k < count; k++) {
			char text[96];

			transfer_one(&ts[k], list[i], USER_DS, target, code32, text, sizeof(text));
			out("%s %04x: %s", ts[k].name, list[i], text);
		}
	}
}

static bool with_ldt(void)
{
	char text[24];
	long rc = ldt_standard();

	out("ldt %s", rc_text(rc, text));
	return rc == 0;
}

static void ldt_targets(const struct transfer *ts, size_t count, bool code32)
{
	static const uint64_t targets[] = {CODE_AT + TARGET, TARGET, 0x1100};

	for (unsigned n = 0; n < LDT_ENTRIES; n++) {
		for (size_t i = 0; i < 3 * count; i++) {
			const struct transfer *t = &ts[i / 3];
			char text[96];

			transfer_one(t, (uint16_t)LDT_SEL(n), USER_DS, targets[i % 3], code32, text,
				     sizeof(text));
			out("ldt %u %s %lx: %s", n, t->name, targets[i % 3], text);
		}
	}
}

void subject_farjump(void)
{
	static const struct transfer jumps[] = {
		{"ljmpl", "ff 2b", 0, 0},    {"ljmpq", "48 ff 2b", 0, 0},
		{"lcalll", "ff 1b", 0, 0},   {"lcallq", "48 ff 1b", 0, 0},
		{"ljmpw", "66 ff 2b", 0, 0},
	};
	size_t count = far_stack_unsafe() ? 2 : 5;

	if (count < 5)
		out("lcall: not run, TCG takes the user stack as supervisor's under SMAP");
	transfer_all(jumps, count, false, CODE_AT + TARGET);
	if (with_ldt())
		ldt_targets(jumps, count, false);
}

static void stack_selectors(const struct transfer *t)
{
	size_t selectors;
	const uint16_t *list = selector_list(&selectors);

	for (size_t i = 0; i < selectors; i++) {
		char text[2][96];

		transfer_one(t, USER_CS, list[i], CODE_AT + TARGET, false, text[0], 96);
		transfer_one(t, USER32_CS, list[i], CODE_AT + TARGET, false, text[1], 96);
		out("%s ss %04x: %s | %s", t->name, list[i], text[0], text[1]);
	}
}

static void odd_targets(const struct transfer *t)
{
	static const uint64_t targets[] = {0x800000000000, 0x7fffffffffff, 0xffff800000000000,
					   0xffffffffff600000, 0x8000000000000000};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char text[96];

		transfer_one(t, USER_CS, USER_DS, targets[i], false, text, sizeof(text));
		out("%s to %lx: %s", t->name, targets[i], text);
	}
}

static void iret_flags(void)
{
	static const struct transfer iretq = {"iretq", "48 cf", 8, 5};

	for (unsigned bit = 0; bit < 32; bit++) {
		struct event ev;
		struct shot s;
		char text[96];

		shot_init(&s);
		code_hex(iretq.hex);
		put_frame(&iretq, USER_CS, USER_DS, CODE_AT + TARGET);
		put_slot(2, 8, (FL_IF | 2) ^ (1ul << bit));
		shot_run(&s, &ev);
		out("iretq flag %u: %s fl=%lx", bit, landing(&ev, text, sizeof(text)),
		    (uint64_t)ev.g[REG_EFL]);
	}
}

void subject_farreturn(void)
{
	static const struct transfer returns[] = {
		{"lretl", "cb", 4, 2},    {"lretq", "48 cb", 8, 2}, {"lretw", "66 cb", 2, 2},
		{"iretq", "48 cf", 8, 5}, {"iretd", "cf", 4, 5},    {"lret8", "ca 08 00", 4, 2},
		{"iretw", "66 cf", 2, 5},
	};

	if (far_stack_unsafe()) {
		out("not run: TCG takes the user stack as supervisor's under SMAP");
		return;
	}
	transfer_all(returns, 7, false, CODE_AT + TARGET);
	stack_selectors(&returns[3]);
	odd_targets(&returns[1]);
	odd_targets(&returns[3]);
	iret_flags();
	if (with_ldt())
		ldt_targets(returns, 4, false);
}

void subject_farmode32(void)
{
	static const struct transfer forms[] = {
		{"ljmp", "ff 2b", 0, 0},
		{"lcall", "ff 1b", 0, 0},
		{"lret", "cb", 4, 2},
		{"iret", "cf", 4, 3},
	};
	size_t count = far_stack_unsafe() ? 1 : 4;

	if (count < 4)
		out("lcall, lret, iret: not run, TCG takes the user stack as supervisor's under "
		    "SMAP");
	transfer_all(forms, count, true, CODE_AT + TARGET);
	if (with_ldt())
		ldt_targets(forms, count, true);
}
