// SPDX-License-Identifier: MIT
/*
 * Forged signal frames. The kernel loads most of them as they are and lets IRET find the fault, so
 * that a hypervisor which lets a bad IRET through (or whose own selectors are present) is caught
 * here: each CS and SS, each flag, odd RIP and RSP.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

#define PUSHF_POP "9c 58"

static void frame_text(const struct event *ev, char *text, size_t size)
{
	const greg_t *g = ev->g;

	if (ev->signo == SIGTRAP && g[REG_TRAPNO] == 3)
		snprintf(text, size, "ran cs=%x ss=%x ip=%lx sp=%x fl=%lx ax=%lx", greg_cs(g),
			 greg_ss(g), (uint64_t)g[REG_RIP], (uint32_t)g[REG_RSP],
			 (uint64_t)g[REG_EFL], (uint64_t)g[REG_RAX]);
	else
		snprintf(text, size, "%s c%d #%ld/%lx cs=%x ss=%x ip=%lx sp=%x fl=%lx uc=%lx",
			 signal_text(ev->signo), ev->code, (long)g[REG_TRAPNO],
			 (uint64_t)g[REG_ERR], greg_cs(g), greg_ss(g), (uint64_t)g[REG_RIP],
			 (uint32_t)g[REG_RSP], (uint64_t)g[REG_EFL], ev->uc_flags);
}

static void frame_run(const char *what, const struct shot *s)
{
	struct event ev;
	char text[200];

	shot_run(s, &ev);
	frame_text(&ev, text, sizeof(text));
	out("%s: %s", what, text);
}

static void frame_selectors(const char *name, unsigned cs, unsigned ss, uint64_t rip, bool lax)
{
	struct shot s;
	char what[64];

	shot_init(&s);
	shot_cs_ss(&s, cs, ss);
	s.g[REG_RIP] = (greg_t)rip;
	s.lax_ss = lax;
	snprintf(what, sizeof(what), "%s%s cs %04x ss %04x", name, lax ? " lax" : "", cs, ss);
	frame_run(what, &s);
}

/* CS of LDT code segments: their bases differ, so the code lies at offset 0 and at CODE_AT. */
static void ldt_code_segments(void)
{
	for (unsigned n = 0; n < LDT_ENTRIES; n++) {
		frame_selectors("ldt", LDT_SEL(n), USER_DS, CODE_AT, false);
		frame_selectors("ldt at 0", LDT_SEL(n), USER_DS, 0, false);
		frame_selectors("ldt beyond", LDT_SEL(n), USER_DS, 0x123456, false);
	}
}

/* A stack in the LDT takes the kernel through espfix, whose IRETQ stands far from its SWAPGS: no
 * selector that is a hypervisor's may get through there. */
static void ldt_stack_segments(void)
{
	for (unsigned cs = 0x43; cs < 0x1000; cs += 8)
		frame_selectors("espfix", cs, LDT_SEL(LDT_DATA16), CODE_AT, false);
}

void subject_sigcs(void)
{
	size_t count;
	const uint16_t *list = selector_list(&count);
	char text[24];
	long rc;

	code_hex("90 90");
	for (size_t i = 0; i < count; i++)
		frame_selectors("gdt", list[i], USER_DS, CODE_AT, false);
	for (unsigned cs = 0x88; cs <= 0x100; cs++)
		frame_selectors("gdt", cs, USER_DS, CODE_AT, false);
	for (unsigned cs = 3; cs < 0x100; cs += 8)
		frame_selectors("gdt", cs, USER_DS, 0x800000000000, false);
	rc = ldt_standard();
	out("ldt %s", rc_text(rc, text));
	if (!rc) {
		ldt_code_segments();
		ldt_stack_segments();
	}
}

void subject_sigss(void)
{
	static const unsigned code_sels[] = {USER_CS, USER32_CS};
	size_t count;
	const uint16_t *list = selector_list(&count);
	char text[24];
	long rc;

	code_hex("90 90");
	for (int m = 0; m < 2; m++)
		for (size_t i = 0; i < count; i++)
			frame_selectors("gdt", code_sels[m], list[i], CODE_AT, false);
	for (size_t i = 0; i < count; i += 3)
		frame_selectors("gdt", USER_CS, list[i], CODE_AT, true);
	frame_selectors("both bad", 0x10, 0x18, CODE_AT, false);
	frame_selectors("both null", 0, 0, CODE_AT, false);
	rc = ldt_standard();
	out("ldt %s", rc_text(rc, text));
	for (unsigned n = 0; !rc && n < LDT_ENTRIES; n++) {
		frame_selectors("ldt", USER_CS, LDT_SEL(n), CODE_AT, false);
		frame_selectors("ldt", USER32_CS, LDT_SEL(n), CODE_AT, false);
		frame_selectors("ldt lax", USER_CS, LDT_SEL(n), CODE_AT, true);
	}
}

static void flags_run(const char *name, uint64_t flags, unsigned cs, const char *hex)
{
	struct shot s;
	char what[64];

	code_hex(hex);
	shot_init(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_EFL] = (greg_t)flags;
	snprintf(what, sizeof(what), "%s cs %x flags %lx", name, cs, flags);
	frame_run(what, &s);
}

void subject_sigflags(void)
{
	static const uint64_t sets[] = {
		0,
		2,
		FL_IF,
		~0ul,
		~FL_TF,
		FL_IOPL | FL_IF,
		FL_IOPL | FL_NT | FL_IF,
		FL_VM | FL_IF,
		FL_VM | FL_IOPL | FL_IF,
		FL_VIF | FL_VIP | FL_IF,
		FL_NT | FL_AC | FL_DF | FL_IF,
		FL_TF | FL_NT | FL_IF,
		FL_TF | FL_AC | FL_IF,
		FL_TF | FL_RF | FL_IF,
		FL_RF | FL_IF,
	};

	for (unsigned bit = 0; bit < 64; bit++)
		flags_run("bit", FL_IF | 2 | 1ul << bit, USER_CS, PUSHF_POP);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		flags_run("set", sets[i], USER_CS, PUSHF_POP);
		flags_run("set", sets[i], USER32_CS, PUSHF_POP);
		flags_run("set then cli", sets[i], USER_CS, "fa");
		flags_run("set then in", sets[i], USER_CS, "ec");
		flags_run("set then fault", sets[i], USER_CS, "31 db 8b 03");
	}
}

void subject_sigaddr(void)
{
	static const uint64_t addrs[] = {
		0,
		1,
		SPARE_AT,
		0x7ffffffff000,
		0x7fffffffffff,
		0x800000000000,
		0x1000000000000,
		0x8000000000000000,
		0xffff7fffffffffff,
		0xffff800000000000,
		0xffff808000000000,
		0xffff888000000000,
		0xffffffff81000000,
		0xffffffffff600000,
		0xffffffffffffffff,
	};

	code_hex("50");
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		for (int m = 0; m < 2; m++) {
			struct shot s;
			char what[64];

			shot_init(&s);
			shot_cs_ss(&s, m ? USER32_CS : USER_CS, USER_DS);
			s.g[REG_RIP] = (greg_t)addrs[i];
			snprintf(what, sizeof(what), "%d rip %lx", m ? 32 : 64, addrs[i]);
			frame_run(what, &s);
			s.g[REG_RIP] = (greg_t)CODE_AT;
			s.g[REG_RSP] = (greg_t)addrs[i];
			snprintf(what, sizeof(what), "%d rsp %lx", m ? 32 : 64, addrs[i]);
			frame_run(what, &s);
		}
	}
}
