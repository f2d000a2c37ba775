// SPDX-License-Identifier: MIT
/*
 * Memory accesses that fault: protections, addresses of the kernel and beyond, stack and alignment
 * faults, the vsyscall page. The error code and CR2 that the kernel hands on are the finest view
 * that user code has of the page tables under it.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct access {
	const char *name;
	const char *hex; /* rbx: the address */
};

static const struct access accesses[] = {
	{"r8", "8a 03"},
	{"r64", "48 8b 03"},
	{"w8", "88 03"},
	{"w64", "48 89 03"},
	{"rmw", "f0 ff 03"},
	{"xchg", "87 03"},
	{"cmpxchg", "0f b1 03"},
	{"push mem", "ff 33"},
	{"pop mem", "8f 03"},
	{"movs from", "48 89 de a4"},
	{"movs to", "48 89 df a4"},
	{"rep stos", "48 89 df b9 04 00 00 00 f3 aa"},
	{"sse r", "0f 10 03"},
	{"sse w", "0f 11 03"},
	{"fxsave", "0f ae 03"},
	{"sgdt", "0f 01 03"},
	{"clflush", "0f ae 3b"},
	{"prefetch", "0f 18 03"},
	{"lldt mem", "0f 00 13"},
	{"call mem", "ff 13"},
};

#define ACCESSES (sizeof(accesses) / sizeof(accesses[0]))

static void access_one(const char *where, const struct access *a, uint64_t addr)
{
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex(a->hex);

	shot_init(&s);
	s.g[REG_RBX] = (greg_t)addr;
	shot_run(&s, &ev);
	out("%s %s: %s", where, a->name, event_text(&ev, end, text));
}

static void execute_at(const char *where, uint64_t addr)
{
	struct event ev;
	struct shot s;
	char text[200];

	code_hex("ff e3");
	shot_init(&s);
	s.g[REG_RBX] = (greg_t)addr;
	shot_run(&s, &ev);
	out("%s jmp: %s", where, event_text(&ev, 0x1fff, text));
	code_hex("c3");
	memcpy((void *)STACK_TOP, &addr, sizeof(addr));
	shot_run(&s, &ev);
	out("%s ret: %s", where, event_text(&ev, 0x1fff, text));
}

static void access_all(const char *where, uint64_t addr)
{
	for (size_t i = 0; i < ACCESSES; i++)
		if (strcmp(accesses[i].name, "sgdt") || cpuinfo_flag("umip"))
			access_one(where, &accesses[i], addr);
	execute_at(where, addr);
}

static void *map_at(unsigned long at, size_t size, int prot, int fd)
{
	int flags = MAP_FIXED | MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);

	return mmap((void *)at, size, prot, flags, fd, 0);
}

/* One page of each protection, filled with int3 and touched before the protection is set. */
static void one_protection(const char *name, int prot, bool touch)
{
	void *p = map_at(SPARE_AT, 4096, PROT_READ | PROT_WRITE, -1);

	if (touch)
		memset(p, 0xcc, 4096);
	if (mprotect(p, 4096, prot) < 0) {
		out("%s: mprotect fails", name);
		return;
	}
	access_all(name, SPARE_AT + 0x10);
	munmap(p, 4096);
}

static void straddle(void)
{
	static const char *const names[] = {"straddle none", "straddle ro"};

	map_at(SPARE_AT, 8192, PROT_READ | PROT_WRITE, -1);
	memset((void *)SPARE_AT, 0, 8192);
	for (int i = 0; i < 2; i++) {
		mprotect((uint8_t *)SPARE_AT + 4096, 4096, i ? PROT_READ : PROT_NONE);
		access_one(names[i], &accesses[1], SPARE_AT + 4093);
		access_one(names[i], &accesses[3], SPARE_AT + 4093);
		access_one(names[i], &accesses[4], SPARE_AT + 4094);
		access_one(names[i], &accesses[11], SPARE_AT + 4094);
		out("%s left %x", names[i], *(uint32_t *)(SPARE_AT + 4092));
	}
	munmap((void *)SPARE_AT, 8192);
}

/* Code that runs over into a page that cannot be executed, or starts a byte before it. */
static void execute_straddle(void)
{
	struct event ev;
	struct shot s;
	char text[200];

	map_at(SPARE_AT, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, -1);
	memset((void *)SPARE_AT, 0x90, 8192);
	mprotect((uint8_t *)SPARE_AT + 4096, 4096, PROT_READ);
	shot_init(&s);
	s.g[REG_RIP] = (greg_t)(SPARE_AT + 4090);
	shot_run(&s, &ev);
	out("run into nx: %s", event_text(&ev, 0x1fff, text));
	*(uint8_t *)(SPARE_AT + 4095) = 0xb8;
	shot_run(&s, &ev);
	out("instruction across: %s", event_text(&ev, 0x1fff, text));
	munmap((void *)SPARE_AT, 8192);
}

static void beyond_file(void)
{
	int fd = (int)RAW2(SYS_memfd_create, "probe", 0);

	if (fd < 0 || ftruncate(fd, 4096) < 0) {
		out("no memfd");
		return;
	}
	map_at(SPARE_AT, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, fd);
	access_all("beyond file", SPARE_AT + 4096);
	munmap((void *)SPARE_AT, 8192);
	close(fd);
}

void subject_pages(void)
{
	access_all("unmapped", SPARE_AT);
	access_all("null", 0);
	access_all("null page", 0xff8);
	one_protection("none", PROT_NONE, true);
	one_protection("read", PROT_READ, true);
	one_protection("write", PROT_READ | PROT_WRITE, true);
	one_protection("exec", PROT_EXEC, true);
	one_protection("read exec", PROT_READ | PROT_EXEC, true);
	one_protection("untouched read", PROT_READ, false);
	one_protection("untouched none", PROT_NONE, false);
	one_protection("untouched exec", PROT_READ | PROT_EXEC, false);
	straddle();
	execute_straddle();
	beyond_file();
}

/* User-visible faults of the upper half: where Linux and where a hypervisor keeps things. */
void subject_kerneladdr(void)
{
	static const uint64_t addrs[] = {
		0x00007fffffffeff8, 0x00007ffffffff000, 0x00007fffffffffff, 0xffff800000000000,
		0xffff807fffffffff, 0xffff808000000000, 0xffff840000000000, 0xffff87ffffffffff,
		0xffff880000000000, 0xffff888000000000, 0xffff888001000000, 0xffffc90000000000,
		0xffffea0000000000, 0xfffffe0000000000, 0xfffffe0000001000, 0xffffff0000000000,
		0xffffffff80000000, 0xffffffff81000000, 0xffffffffa0000000, 0xffffffffc0000000,
		0xffff807fffe00000, 0xffff808000100000, 0xffff87fffffff000, 0xffffffffff5fb000,
		0xffffffffff601000, 0xfffffffffffff000, 0xffffffffffffffff,
	};

	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		char where[24];

		snprintf(where, sizeof(where), "%lx", addrs[i]);
		if (addrs[i] == 0x00007fffffffeff8) {
			/* The top of the stack is mapped: only execution faults there. */
			execute_at(where, addrs[i]);
			continue;
		}
		access_all(where, addrs[i]);
	}
}

/* Every way an address can come about, with an address that is not canonical. */
static const struct access addressing[] = {
	{"rbx", "8b 03"},
	{"rbx w", "89 03"},
	{"rsp", "8b 04 24"},
	{"rbp", "8b 45 00"},
	{"rbp w", "89 45 00"},
	{"push", "50"},
	{"pop", "58"},
	{"call", "e8 00 00 00 00"},
	{"ret", "c3"},
	{"push mem", "ff 33"},
	{"leave", "c9"},
	{"enter", "c8 00 00 00"},
	{"pushf", "9c"},
	{"popf", "9d"},
	{"movs", "a4"},
	{"fs", "64 8b 03"},
	{"ss prefix", "36 8b 03"},
	{"iretq", "48 cf"},
	{"lretq", "48 cb"},
	{"int3", "cc"},
	{"syscall", "0f 05"},
	{"int80", "cd 80"},
	{"jmp", "ff e3"},
	{"call reg", "ff d3"},
	{"call mem", "ff 13"},
	{"xadd", "f0 0f c1 45 00"},
	{"movaps rsp", "0f 28 04 24"},
};

static void address_form(const struct access *form, uint64_t addr)
{
	bool far = !strcmp(form->name, "iretq") || !strcmp(form->name, "lretq");
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex(form->hex);

	if (far && (far_stack_unsafe() || (cpu_is_tcg() && addr == 0x7fffffffffff)))
		return;
	shot_init(&s);
	s.g[REG_RAX] = 0xfff;
	s.g[REG_RBX] = s.g[REG_RBP] = s.g[REG_RSP] = s.g[REG_RSI] = (greg_t)addr;
	shot_run(&s, &ev);
	out("%s %lx: %s", form->name, addr, event_text(&ev, end, text));
}

void subject_canonical(void)
{
	static const uint64_t addrs[] = {0x800000000000, 0xffff7fffffffffff, 0x8000000000000000,
					 0x7fffffffffff, 0x1234567890abcdef};

	for (size_t i = 0; i < sizeof(addressing) / sizeof(addressing[0]); i++)
		for (size_t k = 0; k < sizeof(addrs) / sizeof(addrs[0]); k++)
			address_form(&addressing[i], addrs[k]);
}

void subject_align(void)
{
	static const struct access forms[] = {
		{"r16", "66 8b 43 01"},
		{"r32", "8b 43 02"},
		{"r64", "48 8b 43 04"},
		{"w64", "48 89 43 04"},
		{"rmw", "f0 ff 43 01"},
		{"aligned", "48 8b 43 08"},
		{"movups", "0f 10 43 04"},
		{"fld", "dd 43 02"},
		{"fstenv", "d9 73 02"},
		{"fxsave", "0f ae 43 04"},
		{"push", "48 83 ec 01 50"},
		{"call", "48 83 ec 01 e8 00 00 00 00"},
		{"movs", "48 8d 73 01 48 89 df 48 83 c7 03 48 a5"},
		{"cmpxchg8b", "0f c7 4b 04"},
		{"lgdt", "0f 01 53 01"},
		{"syscall", "48 c7 c0 ff ff ff ff 0f 05 9c 58 48 8b 4b 01"},
		{"page straddle", "8b 83 fe 0f 00 00"},
	};
	static const unsigned modes[] = {USER_CS, USER32_CS};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (int m = 0; m < 2; m++) {
			/* 32-bit code has no REX: there the prefix is dec eax and the forms differ.
			 */
			struct event ev;
			struct shot s;
			char text[200];
			size_t end = code_hex(forms[i].hex);

			if (m && !strncmp(forms[i].name, "syscall", 7))
				continue;
			shot_init(&s);
			shot_cs_ss(&s, modes[m], USER_DS);
			s.g[REG_EFL] |= (greg_t)FL_AC;
			shot_run(&s, &ev);
			out("%d %s: %s", m ? 32 : 64, forms[i].name, event_text(&ev, end, text));
		}
	}
}

static void vsyscall_call(const char *name, uint64_t entry, uint64_t arg)
{
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex("ff d3");

	data_clear();
	shot_init(&s);
	s.g[REG_RBX] = (greg_t)entry;
	s.g[REG_RDI] = (greg_t)arg;
	s.g[REG_RSI] = 0;
	shot_run(&s, &ev);
	out("%s: %s ax %s", name, event_text(&ev, end, text),
	    (int64_t)ev.g[REG_RAX] > 1000 ? "a time"
	    : ev.g[REG_RAX]               ? "small"
					  : "0");
}

void subject_vsyscall(void)
{
	static const uint64_t page = 0xffffffffff600000;

	for (uint64_t off = 0; off < 0x1000; off += 0x400) {
		char name[32];

		snprintf(name, sizeof(name), "entry %lx", off);
		vsyscall_call(name, page + off, 0);
		snprintf(name, sizeof(name), "entry %lx bad arg", off);
		vsyscall_call(name, page + off, SPARE_AT);
		snprintf(name, sizeof(name), "entry %lx kernel arg", off);
		vsyscall_call(name, page + off, 0xffffffff81000000);
		snprintf(name, sizeof(name), "entry %lx plus 16", off);
		vsyscall_call(name, page + off + 16, 0);
	}
	for (size_t i = 0; i < ACCESSES; i++)
		if (strcmp(accesses[i].name, "sgdt"))
			access_one("page", &accesses[i], page);
}
