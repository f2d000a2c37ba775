// SPDX-License-Identifier: MIT
/*
 * Making other guests (mini/other.h). Memory of a new guest is filled here
 * first, in frames of our own, then given away page by page: so nothing of
 * ours is left in it, and Vellum need not reach into it.
 */
#include "mini/other.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"

/* Its last pages, in the order of public/start.h's tables. */
enum {
	AREA_HEAD,
	AREA_CALLS,
	AREA_MAP,
	AREA_ROOT,
	AREA_PDPT,
	AREA_PDS, /* one a GiB of what is mapped one to one */
	AREA_PAGES = AREA_PDS + 4,
};

#define DESC_CODE64  0x00af9b000000ffffull
#define DESC_DATA    0x00cf93000000ffffull
#define CMDLINE_SIZE 1024

struct head {
	struct vl_start_info info;
	u64 gdt[4];
	char cmdline[CMDLINE_SIZE];
};

/* ELF64, what is needed of it. */
struct elf_head {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, va, pa, file_size, memory_size, align;
};
#define PT_LOAD 1

static struct other others[NR_OTHERS];
static u64 pages = OTHER_PAGES; /* of the next one */

static struct vl_domain_create wanted __attribute__((aligned(64)));
static struct vl_memory_list list __attribute__((aligned(4096)));
static struct vl_vcpu_start first __attribute__((aligned(64)));
static struct vl_domain_info info __attribute__((aligned(128)));
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));

static u32 vcpus = 1;

void other_vcpus(u32 count)
{
	vcpus = count;
}

struct other *other(u32 n)
{
	return &others[n];
}

static const u8 *kernel(void)
{
	return pa_to_ptr((pa_t){start_info->initrd});
}

bool other_have_kernel(void)
{
	return start_info->initrd_size > sizeof(struct elf_head) &&
	       memcmp(kernel(), "\177ELF", 4) == 0;
}

/* A page of its RAM. */
static u8 *page(const struct other *g, u64 number)
{
	return pa_to_ptr(g->frame[number]);
}

static u64 pa_of(u64 number)
{
	return OTHER_FIRST + number * PAGE_SIZE;
}

static u64 ram_size(void)
{
	return pages * PAGE_SIZE;
}

static u64 area_pfn(void)
{
	return pages - AREA_PAGES;
}

static void write_memory(struct other *g, u64 pa, const u8 *from, u64 size)
{
	for (u64 part; size > 0; size -= part, pa += part, from += part) {
		part = min_u64(size, PAGE_SIZE - pa % PAGE_SIZE);
		CHECK(pa >= OTHER_FIRST && pa + part <= OTHER_FIRST + area_pfn() * PAGE_SIZE,
		      "the kernel wants memory at %#lx", pa);
		memcpy(page(g, (pa - OTHER_FIRST) / PAGE_SIZE) + pa % PAGE_SIZE, from, part);
	}
}

/* What the file does not have stays zero. */
static void load_kernel(struct other *g)
{
	const struct elf_head *elf = (const void *)kernel();
	const struct elf_segment *s = (const void *)(kernel() + elf->phoff);

	for (u16 i = 0; i < elf->phnum; i++)
		if (s[i].type == PT_LOAD)
			write_memory(g, s[i].pa, kernel() + s[i].offset, s[i].file_size);
}

static void fill_head(struct other *g, const char *cmdline)
{
	struct head *head = (void *)page(g, area_pfn() + AREA_HEAD);
	u64 base = pa_of(area_pfn());

	CHECK(strlen(cmdline) < CMDLINE_SIZE, "the command line is too long");
	head->info = (struct vl_start_info){
		.magic = VL_START_MAGIC,
		.abi_major = start_info->abi_major,
		.abi_minor = start_info->abi_minor,
		.size = sizeof(head->info),
		.domid = (u32)g->domid,
		.reserved_start = base,
		.reserved_end = base + AREA_PAGES * PAGE_SIZE,
		.hypercall_page = pa_of(area_pfn() + AREA_CALLS),
		.memory_map = pa_of(area_pfn() + AREA_MAP),
		.memory_map_count = 1,
		.cmdline_size = (u32)strlen(cmdline) + 1,
		.cmdline = base + offsetof(struct head, cmdline),
		.flags = VL_START_VIRTUALIZED | VL_START_LATER,
	};
	memcpy(head->cmdline, cmdline, strlen(cmdline) + 1);
	head->gdt[KERNEL_CS / 8] = DESC_CODE64;
	head->gdt[KERNEL_DS / 8] = DESC_DATA;
}

static void fill_tables(struct other *g)
{
	u64 *root = (u64 *)page(g, area_pfn() + AREA_ROOT);
	u64 *pdpt = (u64 *)page(g, area_pfn() + AREA_PDPT);

	root[0] = pa_of(area_pfn() + AREA_PDPT) | PTE_P | PTE_W;
	for (u64 i = 0; i < 4; i++) {
		u64 *pd = (u64 *)page(g, area_pfn() + AREA_PDS + i);

		pdpt[i] = pa_of(area_pfn() + AREA_PDS + i) | PTE_P | PTE_W;
		for (u64 k = 0; k < NR_ENTRIES; k++)
			pd[k] = (i * GIB + k * LARGE_SIZE) | PTE_P | PTE_W | PTE_PS;
	}
}

static void fill(struct other *g, const char *cmdline)
{
	struct vl_memory_range *map = (void *)page(g, area_pfn() + AREA_MAP);
	static char line[CMDLINE_SIZE];

	vl_snprintf(line, sizeof(line), "%s cpus=%x", cmdline, vcpus);
	load_kernel(g);
	fill_head(g, line);
	fill_tables(g);
	map[0] = (struct vl_memory_range){OTHER_FIRST, ram_size(), VL_MEMORY_RAM, 0};
	memcpy(page(g, area_pfn() + AREA_CALLS), pa_to_ptr((pa_t){start_info->hypercall_page}),
	       PAGE_SIZE);
}

static void give(struct other *g)
{
	s64 answer;

	for (u64 at = 0, count; at < pages; at += count) {
		count = min_u64(pages - at, VL_MEMORY_GIVE_PAGES);
		for (u64 i = 0; i < count; i++)
			list.pfn[i] = g->frame[at + i].v / PAGE_SIZE;
		answer = vl_call_memory_give(hypercall_page, g->domid, OTHER_FIRST / PAGE_SIZE + at,
					     ptr_to_pa(&list).v, count * sizeof(u64));
		CHECK(answer == 0, "memory_give answered %ld", answer);
	}
}

static void create(struct other *g, const char *name)
{
	s64 answer = is_virtualized() ? 0 : virtualize(0);

	CHECK(answer == 0, "virtualize answered %ld", answer);
	memset(&wanted, 0, sizeof(wanted));
	memcpy(wanted.name, name, strlen(name));
	wanted.memory_start = OTHER_FIRST;
	wanted.memory_size = ram_size();
	wanted.nr_vcpus = vcpus;
	wanted.weight = 256;
	answer = vl_call_domain_create(hypercall_page, ptr_to_pa(&wanted).v, sizeof(wanted));
	CHECK(answer > 0, "domain_create answered %ld", answer);
	g->domid = (u64)answer;
	g->read = g->length = 0;
	g->text[0] = 0;
}

static void set_first_instruction(struct other *g)
{
	s64 answer;

	first = (struct vl_vcpu_start){
		.rip = ((const struct elf_head *)(const void *)kernel())->entry,
		.rdi = pa_of(area_pfn()) + offsetof(struct head, info),
		.cr3 = pa_of(area_pfn() + AREA_ROOT),
		.gdt_base = pa_of(area_pfn()) + offsetof(struct head, gdt),
		.gdt_limit = sizeof(((struct head *)NULL)->gdt) - 1,
	};
	answer =
		vl_call_vcpu_start(hypercall_page, g->domid, 0, ptr_to_pa(&first).v, sizeof(first));
	CHECK(answer == 0, "vcpu_start answered %ld", answer);
}

static u64 scatter;
static enum other_scatter scatter_how;

void other_scatter(u64 seed, enum other_scatter how)
{
	scatter = seed;
	scatter_how = how;
}

/* More pages than a list that is static has room for. */
static pa_t *make_list(u64 count)
{
	pa_t at = frame_alloc_row((count * sizeof(pa_t) + PAGE_SIZE - 1) / PAGE_SIZE, (pa_t){0},
				  (pa_t){4 * GIB});

	CHECK(at.v != 0, "this machine is too small");
	return pa_to_ptr(at);
}

void other_size(u64 count)
{
	pages = count;
}

/* One that is the place of a page of it, if there is still one. */
static pa_t frame_near(void)
{
	pa_t frame = frame_alloc_row(1, (pa_t){OTHER_FIRST}, (pa_t){OTHER_FIRST + ram_size()});

	return frame.v != 0 ? frame : frame_alloc();
}

static void alloc_pairs(struct other *g)
{
	for (u64 i = 0; i < pages; i++) {
		pa_t place = {OTHER_FIRST + (i ^ 1) * PAGE_SIZE};

		g->frame[i] = frame_alloc_row(1, place, (pa_t){place.v + PAGE_SIZE});
	}
	for (u64 i = 0; i < pages; i++) {
		if (g->frame[i].v == 0) /* the first guest itself uses that one */
			g->frame[i] = frame_alloc();
		CHECK(g->frame[i].v != 0, "this machine is too small");
		memset(pa_to_ptr(g->frame[i]), 0, PAGE_SIZE);
	}
}

/* Of three times as many, some, and the rest is free again; near: nearly all are in the way of each
 * other. */
static void alloc_scattered(struct other *g)
{
	static pa_t small[3 * OTHER_PAGES];
	bool near = scatter_how == OTHER_NEAR;
	u64 count = near ? pages : 3 * pages;
	pa_t *pool = pages > OTHER_PAGES ? make_list(count) : small;

	for (u64 i = 0; i < count; i++) {
		pool[i] = near ? frame_near() : frame_alloc();
		CHECK(pool[i].v != 0, "this machine is too small");
	}
	for (u64 i = 0; i < count; i++) {
		u64 k = i + random_next(&scatter) % (count - i);
		pa_t frame = pool[k];

		pool[k] = pool[i];
		if (i >= pages) {
			frame_free(frame);
			continue;
		}
		memset(pa_to_ptr(frame), 0, PAGE_SIZE);
		g->frame[i] = frame;
	}
}

static void alloc_frames(struct other *g)
{
	for (u64 i = 0; i < pages; i++) {
		g->frame[i] = frame_alloc_zeroed();
		CHECK(g->frame[i].v != 0, "this machine is too small");
	}
}

void other_make(struct other *g, const char *name, const char *cmdline)
{
	if (!other_have_kernel())
		test_fail("the first guest's initrd is to be the kernel of the others");
	g->pages = pages;
	g->frame = pages > OTHER_PAGES ? make_list(pages) : g->few;
	if (scatter != 0 && scatter_how == OTHER_PAIRS)
		alloc_pairs(g);
	else if (scatter != 0)
		alloc_scattered(g);
	else
		alloc_frames(g);
	create(g, name);
	fill(g, cmdline);
	give(g);
	set_first_instruction(g);
}

void other_start(struct other *g, const char *name, const char *cmdline)
{
	s64 answer;

	other_make(g, name, cmdline);
	answer = vl_call_domain_unpause(hypercall_page, g->domid);
	CHECK(answer == 0, "domain_unpause answered %ld", answer);
}

void other_destroy(struct other *g)
{
	s64 left;

	do
		left = vl_call_domain_destroy(hypercall_page, g->domid);
	while (left > 0);
	CHECK(left == 0, "domain_destroy answered %ld", left);
	for (u64 i = 0; i < g->pages; i++) {
		const u64 *word = (const u64 *)page(g, i);

		for (u32 k = 0; k < PAGE_SIZE / sizeof(*word); k++)
			CHECK(word[k] == 0, "page %#lx came back with %#lx in it", g->frame[i].v,
			      word[k]);
		frame_free(g->frame[i]);
	}
}

u32 other_state(const struct other *g)
{
	s64 answer =
		vl_call_domain_info(hypercall_page, g->domid, ptr_to_pa(&info).v, sizeof(info));

	CHECK(answer > 0, "domain_info answered %ld", answer);
	return info.state;
}

/* The newest are kept, but for bytes that end a string. */
static void keep(struct other *g, const char *from, u32 size)
{
	for (u32 i = 0; i < size; i++) {
		if (from[i] == 0)
			continue;
		if (g->length == OTHER_TEXT - 1) {
			memmove(g->text, g->text + OTHER_TEXT / 4, OTHER_TEXT - OTHER_TEXT / 4);
			g->length -= OTHER_TEXT / 4;
		}
		g->text[g->length++] = from[i];
	}
	g->text[g->length] = 0;
}

void other_listen(struct other *g)
{
	struct vl_console_read *head = (void *)buffer;
	s64 answer;

	do {
		head->pos = g->read;
		head->size = 0;
		answer = vl_call_domain_console_read(hypercall_page, g->domid, ptr_to_pa(buffer).v,
						     sizeof(buffer));
		CHECK(answer >= 0, "domain_console_read answered %ld", answer);
		keep(g, (const char *)(head + 1), head->size);
		g->read = head->pos + head->size;
	} while (answer > 0);
}

bool other_type(struct other *g, const char *text)
{
	s64 answer;

	memcpy(buffer, text, strlen(text));
	answer = vl_call_domain_console_write(hypercall_page, g->domid, ptr_to_pa(buffer).v,
					      strlen(text));
	CHECK(answer >= 0, "domain_console_write answered %ld", answer);
	return (u64)answer == strlen(text);
}

bool other_said(const struct other *g, const char *text)
{
	size_t size = strlen(text);

	for (u32 at = 0; at + size <= g->length; at++)
		if (memcmp(g->text + at, text, size) == 0)
			return true;
	return false;
}

/* Line by line, each after a mark: the lines of another guest are no TAP of ours. */
void other_print(const struct other *g)
{
	const char *p = g->text;

	while (*p != 0) {
		u32 n = 0;

		while (p[n] != 0 && p[n] != '\r' && p[n] != '\n' && n < 200)
			n++;
		if (n > 0)
			print("# %lu: %.*s\n", g->domid, (int)n, p);
		p += n;
		while (*p == '\r' || *p == '\n')
			p++;
	}
}

void other_print_lines(struct other *g)
{
	u32 rest = g->length;
	char kept;

	while (rest > 0 && g->text[rest - 1] != '\n')
		rest--;
	kept = g->text[rest];
	g->text[rest] = 0;
	other_print(g);
	g->text[rest] = kept;
	memmove(g->text, g->text + rest, g->length - rest + 1);
	g->length -= rest;
}

void other_print_log(void)
{
	struct vl_console_read *head = (void *)buffer;
	char *text = (char *)(head + 1);

	head->pos = 0;
	vl_call_console_read(hypercall_page, ptr_to_pa(buffer).v, sizeof(*head));
	head->pos = head->end > 400 ? head->end - 400 : 0;
	if (vl_call_console_read(hypercall_page, ptr_to_pa(buffer).v, sizeof(buffer) - 1) < 0)
		return;
	text[head->size] = 0;
	print("# log: %s\n", text);
}

/* Halted, so that others have all of the time. */
static bool pass_time(u64 end)
{
	timer_start_once(1000);
	interrupts_on_and_halt();
	interrupts_off();
	return rdtsc() < end;
}

void other_pass_time(void)
{
	pass_time(0);
}

u64 other_let_run(u32 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	timer_start(OTHER_HZ);
	while (rdtsc() < end) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	timer_stop();
	return timer_ticks();
}

void other_burn(u32 units)
{
	for (u64 n = units * (u64)10000000; n > 0; n--)
		asm volatile("" ::: "memory");
}

void other_await(struct other *g, u32 state, u32 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	while (other_state(g) != state)
		if (!pass_time(end)) {
			other_listen(g);
			other_print(g);
			other_print_log();
			test_fail("guest %lu is in state %u, not %u", g->domid, info.state, state);
		}
	other_listen(g);
}

void other_await_text(struct other *g, const char *text, u32 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	for (other_listen(g); !other_said(g, text); other_listen(g))
		if (!pass_time(end)) {
			other_print(g);
			test_fail("guest %lu (state %u) did not say \"%s\"", g->domid,
				  other_state(g), text);
		}
}
