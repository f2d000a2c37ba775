// SPDX-License-Identifier: MIT
/*
 * Segment registers: what user code reads from them and what each selector does when loaded by
 * each of the loading instructions, in 64-bit code and in 32-bit code. FS and GS bases are read
 * after a load because CPUs differ in whether a null selector clears them.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

void subject_segread(void)
{
	uint16_t cs, ss, ds, es, fs, gs;

	__asm__("mov %%cs, %0\n\tmov %%ss, %1\n\tmov %%ds, %2" : "=r"(cs), "=r"(ss), "=r"(ds));
	__asm__("mov %%es, %0\n\tmov %%fs, %1\n\tmov %%gs, %2" : "=r"(es), "=r"(fs), "=r"(gs));
	out("cs %x ss %x ds %x es %x fs %x gs %x", cs, ss, ds, es, fs, gs);
	try_hex("mov rax, ss", "48 8c d0", NULL);
	try_hex("push fs; pop rax", "0f a0 58", NULL);
	try_hex("push gs; pop rax", "0f a8 58", NULL);
	for (int i = 0; i < 10; i++) {
		static const struct {
			const char *name, *hex;
			unsigned bytes;
		} forms[] = {
			{"sgdt", "0f 01 03", 10},       {"sidt", "0f 01 0b", 10},
			{"sldt mem", "0f 00 03", 2},    {"str mem", "0f 00 0b", 2},
			{"smsw mem", "0f 01 23", 2},    {"sldt eax", "0f 00 c0", 0},
			{"str eax", "0f 00 c8", 0},     {"smsw eax", "0f 01 e0", 0},
			{"smsw rax", "48 0f 01 e0", 0}, {"sldt rax", "48 0f 00 c0", 0},
		};
		const uint8_t *data = (const uint8_t *)DATA_AT;
		char hex[32] = "";
		struct event ev;
		struct shot s;
		char text[48];
		size_t end;

		data_clear();
		shot_init(&s);
		s.g[REG_RAX] = 0x5555555555555555;
		end = code_hex(forms[i].hex);
		shot_run(&s, &ev);
		for (unsigned b = 0; b < forms[i].bytes; b++)
			snprintf(hex + 2 * b, 3, "%02x", data[b]);
		out_hw("%s: %s ax=%lx mem=%s", forms[i].name, event_short(&ev, end, text),
		       (uint64_t)ev.g[REG_RAX], hex);
	}
}

/* A load of one segment register: code with the selector in eax, [rsp] or [rbx]. */
struct loader {
	const char *name;
	const char *hex;
	int reg; /* index in shot_selectors, or -1 for ss */
};

/*
 * TCG 7.2 adds the base of DS to kernel addresses that have a DS prefix, and a kernel on one CPU
 * has one in place of each LOCK: a DS with a base hangs that kernel.
 */
static bool load_unsafe(const struct loader *loader, uint16_t sel)
{
	static const uint16_t with_base[] = {LDT_CODE16, LDT_DATA16, LDT_CODE_LIMITED,
					     LDT_DATA_LIMITED, LDT_STACK16_DOWN};

	if (loader->reg != 0 || !(sel & 4) || !cpu_is_tcg())
		return false;
	for (size_t i = 0; i < sizeof(with_base) / sizeof(with_base[0]); i++)
		if (sel >> 3 == with_base[i])
			return true;
	return false;
}

static void load_one(const struct loader *loader, uint16_t sel, bool code32, char *text,
		     size_t size)
{
	uint32_t far_pointer[2] = {0x1234, sel};
	const char *bases = loader->reg >= 2 && cpu_has_fsgsbase() && !code32
				    ? "f3 48 0f ae c0 f3 48 0f ae ca"
				    : "90";
	char shortly[48];
	struct event ev;
	struct shot s;
	unsigned seen;
	size_t end;

	memset((void *)STACK_TOP, 0, 16);
	memcpy((void *)STACK_TOP, &sel, sizeof(sel));
	memcpy((void *)DATA_AT, far_pointer, sizeof(far_pointer));
	shot_init(&s);
	if (code32)
		shot_cs_ss(&s, USER32_CS, USER_DS);
	s.g[REG_RAX] = sel;
	code_hex(loader->hex);
	end = code_at(strlen(loader->hex) / 3 + 1, bases);
	shot_run(&s, &ev);
	seen = loader->reg < 0 ? greg_ss(ev.g) : shot_selectors[loader->reg];
	event_short(&ev, end, shortly);
	if (event_done(&ev, end) && loader->reg >= 2)
		snprintf(text, size, " %s=%x base %lx/%lx", loader->name, seen,
			 (uint64_t)ev.g[REG_RAX], (uint64_t)ev.g[REG_RDX]);
	else
		snprintf(text, size, " %s=%x %s", loader->name, seen, shortly);
}

static void load_all(const struct loader *loaders, size_t count, bool code32, const char *what)
{
	size_t selectors;
	const uint16_t *list = selector_list(&selectors);

	for (size_t i = 0; i < selectors; i++) {
		char line[1024];
		size_t used = 0;

		line[0] = 0;
		for (size_t k = 0; k < count; k++) {
			char text[96];

			if (load_unsafe(&loaders[k], list[i]))
				snprintf(text, sizeof(text), " ds not loaded: TCG");
			else
				load_one(&loaders[k], list[i], code32, text, sizeof(text));
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s", text);
		}
		out("%s %04x:%s", what, list[i], line);
	}
}

void subject_segload(void)
{
	static const struct loader movs[] = {
		{"ds", "8e d8", 0}, {"es", "8e c0", 1},  {"fs", "8e e0", 2},
		{"gs", "8e e8", 3}, {"ss", "8e d0", -1},
	};
	static const struct loader others[] = {
		{"popfs", "0f a1", 2},  {"popgs", "0f a9", 3},   {"lfs", "0f b4 0b", 2},
		{"lgs", "0f b5 0b", 3}, {"lss", "0f b2 0b", -1},
	};
	char text[24];

	load_all(movs, 5, false, "mov");
	load_all(others, 5, false, "other");
	out("ldt %s", rc_text(ldt_standard(), text));
	load_all(movs, 5, false, "ldt mov");
}

void subject_segload32(void)
{
	static const struct loader movs[] = {
		{"ds", "8e d8", 0}, {"es", "8e c0", 1},  {"fs", "8e e0", 2},
		{"gs", "8e e8", 3}, {"ss", "8e d0", -1},
	};
	static const struct loader others[] = {
		{"popds", "1f", 0},      {"popes", "07", 1},     {"popss", "17", -1},
		{"popfs", "0f a1", 2},   {"popgs", "0f a9", 3},  {"lds", "c5 0b", 0},
		{"les", "c4 0b", 1},     {"lfs", "0f b4 0b", 2}, {"lgs", "0f b5 0b", 3},
		{"lss", "0f b2 0b", -1},
	};
	char text[24];

	load_all(movs, 5, true, "mov32");
	out("ldt %s", rc_text(ldt_standard(), text));
	load_all(others, 10, true, "ldt other32");
}
