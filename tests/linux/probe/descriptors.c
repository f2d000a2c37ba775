// SPDX-License-Identifier: MIT
/*
 * LAR, LSL, VERR and VERW of all 65536 selectors: the cheapest way for user code to see a foreign
 * descriptor table. The instructions run without a fault, so all of them fit into a moment; what
 * is printed are the selectors that succeed and a hash over every result.
 */
#include "probe.h"

#include <string.h>
#include <sys/syscall.h>

struct look {
	uint64_t lar;
	uint64_t lsl;
	uint8_t lar_ok, lsl_ok, verr, verw;
};

static void look_at(unsigned sel, struct look *l)
{
	uint64_t lar = 0xa5a5a5a5a5a5a5a5ul;
	uint64_t lsl = 0x5a5a5a5a5a5a5a5aul;

	__asm__("lar %2, %0\n\tsete %1" : "+r"(lar), "=qm"(l->lar_ok) : "r"((uint64_t)sel) : "cc");
	__asm__("lsl %2, %0\n\tsete %1" : "+r"(lsl), "=qm"(l->lsl_ok) : "r"((uint64_t)sel) : "cc");
	__asm__("verr %w1\n\tsete %0" : "=qm"(l->verr) : "r"(sel) : "cc");
	__asm__("verw %w1\n\tsete %0" : "=qm"(l->verw) : "r"(sel) : "cc");
	l->lar = lar;
	l->lsl = lsl;
}

static void look_at_all(const char *what)
{
	uint64_t hash = HASH_START;
	unsigned ok = 0;
	struct look l;

	for (unsigned sel = 0; sel <= 0xffff; sel++) {
		memset(&l, 0, sizeof(l));
		look_at(sel, &l);
		hash = hash_bytes(hash, &l, sizeof(l));
		if (!l.lar_ok && !l.lsl_ok && !l.verr && !l.verw)
			continue;
		ok++;
		if (ok <= 120)
			out("%s %04x lar %d %lx lsl %d %lx verr %d verw %d", what, sel, l.lar_ok,
			    l.lar, l.lsl_ok, l.lsl, l.verr, l.verw);
	}
	out("%s: %u selectors succeed, hash %016lx", what, ok, hash);
}

/* The 16- and 32-bit forms and the memory form, for the selectors of interest. */
static void other_forms(void)
{
	size_t count;
	const uint16_t *list = selector_list(&count);
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < count; i++) {
		uint32_t r[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};
		uint16_t sel = list[i];

		__asm__("larw %w1, %w0" : "+r"(r[0]) : "r"(sel) : "cc");
		__asm__("larl %1, %0" : "+r"(r[1]) : "r"((uint32_t)sel) : "cc");
		__asm__("lslw %w1, %w0" : "+r"(r[2]) : "r"(sel) : "cc");
		__asm__("lar %1, %0" : "+r"(r[3]) : "m"(sel) : "cc");
		hash = hash_bytes(hash, r, sizeof(r));
		if (r[0] != 0x11111111)
			out("forms %04x larw %x larl %x lslw %x larm %x", sel, r[0], r[1], r[2],
			    r[3]);
	}
	out("forms: hash %016lx", hash);
}

void subject_descriptors(void)
{
	struct user_desc_word tls = {(uint32_t)-1, DATA_AT, 0x12345, UD_32BIT | UD_USEABLE};
	char text[24];
	long rc;

	look_at_all("bare");
	other_forms();
	rc = RAW1(SYS_set_thread_area, &tls);
	out("set_thread_area %s entry %d", rc_text(rc, text), (int)tls.entry);
	if (!rc)
		look_at_all("tls");
	rc = ldt_standard();
	out("ldt %s", rc_text(rc, text));
	if (!rc)
		look_at_all("ldt");
}
