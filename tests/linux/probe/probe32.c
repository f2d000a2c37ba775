// SPDX-License-Identifier: MIT
/*
 * What a 32-bit process sees: its three ways into the kernel (INT 0x80, SYSENTER through the vdso
 * and directly, SYSCALL), stepping over each, segment loads, forged 32-bit signal frames.
 */
#include "probe32.h"

void probe32_main(void);

struct form {
	const char *name;
	const char *hex;
};

/*
 * The kernel's SYSENTER path comes back with the arithmetic flags of its page table switch, which
 * depend on the address space number of the moment. "ff d6" calls the vdso's entry.
 */
static bool by_sysenter(const char *hex)
{
	for (; hex[0] && hex[1] && hex[2] && hex[3] && hex[4]; hex++) {
		if (hex[0] == '0' && hex[1] == 'f' && hex[3] == '3' && hex[4] == '4')
			return true;
		if (hex[0] == 'f' && hex[1] == 'f' && hex[3] == 'd' && hex[4] == '6')
			return true;
	}
	return false;
}

static void try32(const char *name, const char *hex, uint32_t flags)
{
	struct shot32 s;
	struct event32 ev;

	code32_hex(hex);
	shot32_init(&s);
	s.c.flags |= flags;
	s.c.ax = vdso_entry;
	shot32_run(&s, &ev);
	if (by_sysenter(hex))
		ev.c.flags &= ~0x8d5u;
	/* eax still holds the entry when nothing replaced it. */
	if (vdso_entry && ev.c.ax == vdso_entry)
		ev.c.ax = 0x7d50;
	say_event(name, &ev);
}

static const struct form entries[] = {
	{"int80", "b8 c7 00 00 00 cd 80 90"},
	{"int80 nosys", "b8 ff 0f 00 00 cd 80 90"},
	{"vdso", "89 c6 b8 c7 00 00 00 ff d6 90"},
	{"vdso nosys", "89 c6 b8 ff 0f 00 00 ff d6 90"},
	{"sysenter", "b8 c7 00 00 00 51 52 55 89 e5 0f 34 90"},
	{"sysenter nosys", "b8 ff 0f 00 00 51 52 55 89 e5 0f 34 90"},
	{"sysenter bad ebp", "b8 ff 0f 00 00 bd 00 00 00 f0 0f 34 90"},
	{"sysenter kernel ebp", "b8 ff 0f 00 00 bd fc ff ff ff 0f 34 90"},
	{"syscall", "b8 c7 00 00 00 55 89 cd 0f 05 90 90"},
	{"syscall nosys", "b8 ff 0f 00 00 55 89 cd 0f 05 90"},
	{"syscall bad esp", "b8 ff 0f 00 00 bc 00 00 00 f0 0f 05 90"},
};

#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static void all_entries(void)
{
	static const struct form flag_sets[] = {{"NT", "\x00\x40"}, {"DF", "\x00\x04"}};

	for (size_t i = 0; i < ENTRIES; i++)
		try32(entries[i].name, entries[i].hex, 0);
	for (size_t f = 0; f < 2; f++) {
		uint32_t flags = (uint32_t)(uint8_t)flag_sets[f].hex[1] << 8;

		say32("with flag %s", flag_sets[f].name);
		for (size_t i = 0; i < ENTRIES; i++)
			try32(entries[i].name, entries[i].hex, flags);
	}
	say32("with flag AC, ID");
	for (size_t i = 0; i < ENTRIES; i++)
		try32(entries[i].name, entries[i].hex, 0x240000);
}

/* ---- stepping ---- */

static char trail[900];
static uint32_t trail_used, trail_steps;

static void trail_text(const char *text)
{
	while (*text && trail_used < sizeof(trail) - 1)
		trail[trail_used++] = *text++;
	trail[trail_used] = 0;
}

static bool on_step(struct event32 *ev, struct context32 *c)
{
	char buf[24];

	trail_text(" ");
	trail_text(where32(c->ip, buf));
	if (ev->signo != 5 || ev->code != 2) {
		trail_text(ev->signo == 5 ? "!" : "?");
		return false;
	}
	if (!(c->flags & 0x100))
		trail_text("-");
	return ++trail_steps < 60;
}

static void step32(const char *name, const char *hex)
{
	struct shot32 s;
	struct event32 ev;

	code32_hex(hex);
	shot32_init(&s);
	s.c.flags |= 0x100;
	s.c.ax = vdso_entry;
	s.on_event = on_step;
	trail_used = trail_steps = 0;
	trail[0] = 0;
	shot32_run(&s, &ev);
	say32("step %s:%s sig=%d", name, trail, (int)ev.signo);
}

/* ---- selectors ---- */

static uint32_t selector_of(size_t i)
{
	static const uint16_t far_out[] = {0x100, 0x103, 0x107, 0x7fff, 0xe033, 0xfffb, 0xffff};

	return i < 0x88 ? (uint32_t)i : far_out[i - 0x88];
}

#define SELECTORS (0x88 + 7)

static void frames(void)
{
	struct shot32 s;
	struct event32 ev;

	code32_hex("90 8c d8 90");
	for (size_t i = 0; i < SELECTORS; i++) {
		uint16_t sel = (uint16_t)selector_of(i);

		shot32_init(&s);
		s.c.cs = sel;
		shot32_run(&s, &ev);
		say32("frame cs %x: sig=%d code=%d trap=%d err=%x cs=%x ip=%x", (unsigned)sel,
		      (int)ev.signo, (int)ev.code, (int)ev.c.trapno, ev.c.err, (unsigned)ev.c.cs,
		      ev.c.ip);
		shot32_init(&s);
		s.c.ss = sel;
		shot32_run(&s, &ev);
		say32("frame ss %x: sig=%d code=%d trap=%d err=%x ss=%x ip=%x", (unsigned)sel,
		      (int)ev.signo, (int)ev.code, (int)ev.c.trapno, ev.c.err, (unsigned)ev.c.ss,
		      ev.c.ip);
		shot32_init(&s);
		s.c.ds = s.c.es = s.c.fs = s.c.gs = sel;
		shot32_run(&s, &ev);
		say32("frame data %x: sig=%d trap=%d err=%x ds=%x es=%x fs=%x gs=%x ax=%x",
		      (unsigned)sel, (int)ev.signo, (int)ev.c.trapno, ev.c.err, (unsigned)ev.c.ds,
		      (unsigned)ev.c.es, (unsigned)ev.c.fs, (unsigned)ev.c.gs, ev.c.ax);
	}
}

static void frame_flags(void)
{
	struct shot32 s;
	struct event32 ev;

	code32_hex("9c 58 90");
	for (uint32_t bit = 0; bit < 32; bit++) {
		shot32_init(&s);
		s.c.flags ^= 1u << bit;
		shot32_run(&s, &ev);
		say32("frame flag %d: sig=%d trap=%d ip=%x fl=%x ax=%x", (int)bit, (int)ev.signo,
		      (int)ev.c.trapno, ev.c.ip, ev.c.flags, ev.c.ax);
	}
}

static void look_at_all(void)
{
	uint32_t hash = 0x811c9dc5;

	for (uint32_t sel = 0; sel < 0x10000; sel++) {
		uint32_t lar = 0x55555555, lsl = 0xaaaaaaaa;
		uint16_t arpl = (uint16_t)sel;
		uint8_t r, w;

		__asm__("lar %1, %0" : "+r"(lar) : "r"(sel) : "cc");
		__asm__("lsl %1, %0" : "+r"(lsl) : "r"(sel) : "cc");
		__asm__("verr %w1\n\tsete %0" : "=qm"(r) : "r"(sel) : "cc");
		__asm__("verw %w1\n\tsete %0" : "=qm"(w) : "r"(sel) : "cc");
		__asm__("arpl %w1, %w0" : "+r"(arpl) : "r"(3u) : "cc");
		hash = (hash ^ lar) * 0x01000193;
		hash = (hash ^ lsl) * 0x01000193;
		hash = (hash ^ (uint32_t)(r << 1 | w)) * 0x01000193;
		hash = (hash ^ arpl) * 0x01000193;
		if (lar != 0x55555555)
			say32("sel %x: lar %x lsl %x verr %d verw %d", sel, lar, lsl, r, w);
	}
	say32("all selectors: hash %x", hash);
}

static void tls(void)
{
	uint32_t desc[4] = {(uint32_t)-1, DATA_AT, 0xfff, 0x51};
	long rc = call32(243, (uint32_t)desc, 0, 0, 0, 0);

	say32("set_thread_area: %d entry %d", (int)rc, (int)desc[0]);
	if (rc)
		return;
	*(uint32_t *)DATA_AT = 0x600df00d;
	for (uint32_t off = 0; off < 0x2000; off += 0xff0) {
		struct shot32 s;
		struct event32 ev;

		code32_hex("65 8b 03 90");
		shot32_init(&s);
		s.c.gs = (uint16_t)(desc[0] * 8 + 3);
		s.c.bx = off;
		shot32_run(&s, &ev);
		say_event("gs read", &ev);
	}
}

static const struct form misc[] = {
	{"pushf", "9c 58"},
	{"popf iopl", "68 02 32 00 00 9d 9c 58"},
	{"popf nt", "68 02 42 00 00 9d 9c 58 6a 02 9d"},
	{"into", "b8 ff ff ff 7f 83 c0 01 ce"},
	{"bound", "b8 05 00 00 00 62 03"},
	{"cli", "fa"},
	{"in", "31 d2 ec"},
	{"hlt", "f4"},
	{"ud2", "0f 0b"},
	{"sysexit", "0f 35"},
	{"sysret", "0f 07"},
	{"lock nop", "f0 90"},
	{"icebp", "f1"},
	{"int 20", "cd 20"},
	{"null read", "a1 00 00 00 00"},
	{"kernel read", "a1 00 00 00 c0"},
	{"top read", "a1 00 f0 ff ff"},
	{"top exec", "ea 00 f0 ff ff 23 00"},
	{"ljmp 33", "ea 00 01 00 10 33 00"},
	{"ljmp 10", "ea 00 01 00 10 10 00"},
	{"ljmp 1b", "ea 00 01 00 10 1b 00"},
	{"64-bit and back",
	 "ea 07 00 00 10 33 00 48 c7 c0 78 56 34 12 ff 2c 25 1a 00 00 10 cc 00 01 "
	 "00 10 23 00"},
	{"ds null", "31 c0 8e d8 8b 03"},
	{"vsyscall", "68 00 00 60 ff c3"},
	{"cpuid", "31 c0 0f a2"},
	{"dec eax", "48 90"},
	{"x87", "68 7b 03 00 00 d9 2c 24 d9 e8 d9 ee de f9 9b"},
};

void probe32_main(void)
{
	say32("vdso %s, entry at %x", vdso_at ? "present" : "absent",
	      vdso_entry ? vdso_entry - vdso_at : 0);
	all_entries();
	for (size_t i = 0; i < ENTRIES; i++)
		step32(entries[i].name, entries[i].hex);
	step32("mov ss", "8c d0 8e d0 90 90");
	step32("popf", "9c 9d 90 90");
	for (size_t i = 0; i < sizeof(misc) / sizeof(misc[0]); i++)
		try32(misc[i].name, misc[i].hex, 0);
	look_at_all();
	frames();
	frame_flags();
	tls();
}
