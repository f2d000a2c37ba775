// SPDX-License-Identifier: MIT
/*
 * What each hypercall answers. This is also how calls look in a kernel: a
 * buffer is passed by physical address and size and lies in one page.
 */
#include "mini/hypercall.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/virtual.h"

#define LOG_MAX  (4 * MIB) /* more than any log ring holds */
#define NO_DOMID 4711u

static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));

TEST(hypercall_version, "U3")
{
	s64 version = vl_call_version(hypercall_page);

	CHECK(version == (start_info->abi_major << 16 | start_info->abi_minor), "version %#lx",
	      version);
	CHECK(version >> 16 == VL_ABI_MAJOR, "ABI major %ld", version >> 16);
}

TEST(hypercall_unknown, "U3")
{
	const u64 numbers[] = {VL_CALL_LIMIT, VL_CALL_LIMIT + 1, 0x7fffffff,
			       0xffffffff,    (u64)1 << 32,      ((u64)1 << 32) + VL_CALL_HV_INFO,
			       (u64)1 << 63,  ~(u64)0,           ~(u64)0 / 16 + 1,
			       (u64)1 << 60};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		s64 r = hypercall_page(numbers[i], ptr_to_pa(page).v, sizeof(page), 0, 0, 0);

		CHECK(r == -VL_ENOSYS, "number %#lx: %ld", numbers[i], r);
	}
}

static bool is_text(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && s[n] >= ' ' && s[n] <= '~')
		n++;
	return n > 0 && n < size && s[n] == 0;
}

TEST(hypercall_hv_info, "U3 I6")
{
	struct vl_hv_info *info = (void *)page;
	s64 r = vl_call_hv_info(hypercall_page, ptr_to_pa(info).v, sizeof(*info));
	struct range partition;

	CHECK(r == sizeof(*info), "result %ld", r);
	CHECK(info->abi_major == start_info->abi_major && info->abi_minor == start_info->abi_minor,
	      "ABI %u.%u", info->abi_major, info->abi_minor);
	CHECK(is_text(info->version, sizeof(info->version)), "version is no text");
	CHECK(is_text(info->build, sizeof(info->build)), "build is no text");
	partition =
		(struct range){info->partition_start, info->partition_start + info->partition_size};
	CHECK(partition.start < partition.end && partition.start % PAGE_SIZE == 0,
	      "partition %#lx .. %#lx", partition.start, partition.end);
	for (u32 i = 0; i < start_info->memory_map_count; i++)
		CHECK(memory_range(i)->type != VL_MEMORY_RAM ||
			      !range_overlaps(partition, memory_bounds(i)),
		      "the guest's RAM overlaps Vellum's partition");
	CHECK(info->partition_free < info->partition_size, "%#lx bytes free of %#lx",
	      info->partition_free, info->partition_size);
	CHECK(info->image_size > 0 && info->image_size < info->partition_size, "image_size %#lx",
	      info->image_size);
	CHECK(memory_ram_bytes() + info->partition_size <= info->machine_ram,
	      "RAM %#lx + partition %#lx, but the machine has %#lx", memory_ram_bytes(),
	      info->partition_size, info->machine_ram);
	CHECK(info->nr_domains >= 1 && info->nr_cpus >= 1, "%u domains, %u CPUs", info->nr_domains,
	      info->nr_cpus);
}

static void get_domain(u64 domid, struct vl_domain_info **info)
{
	s64 r = vl_call_domain_info(hypercall_page, domid, ptr_to_pa(page).v, sizeof(**info));

	CHECK(r == sizeof(**info), "domain %lu: result %ld", domid, r);
	*info = (void *)page;
}

TEST(hypercall_domain_info, "U3")
{
	struct vl_domain_info *info, self;
	u64 before = rdtsc();

	get_domain(VL_DOMID_SELF, &info);
	CHECK(info->domid == start_info->domid, "domid %u", info->domid);
	CHECK(info->mode == (is_virtualized() ? VL_MODE_VIRTUALIZED : VL_MODE_PASSTHROUGH),
	      "mode %u", info->mode);
	CHECK(info->state == VL_STATE_RUNNING, "state %u", info->state);
	CHECK(info->nr_vcpus >= 1, "%u vcpus", info->nr_vcpus);
	CHECK(info->memory == memory_ram_bytes(), "memory %#lx, the map has %#lx", info->memory,
	      memory_ram_bytes());
	CHECK(info->tsc_start < before && info->tsc_now >= before && info->tsc_now <= rdtsc(),
	      "tsc_start %lu tsc_now %lu", info->tsc_start, info->tsc_now);
	CHECK(is_text(info->name, sizeof(info->name)), "the name is no text");
	self = *info;
	get_domain(start_info->domid, &info);
	CHECK(info->domid == self.domid && info->tsc_start == self.tsc_start,
	      "the own id names another domain");
	CHECK(info->hypercalls == self.hypercalls + 1, "%lu hypercalls, before %lu",
	      info->hypercalls, self.hypercalls);
}

TEST(hypercall_domain_unknown, "U3")
{
	const u64 ids[] = {NO_DOMID,
			   VL_DOMID_MAX,
			   VL_DOMID_SELF + 1,
			   (u64)1 << 32,
			   (u64)1 << 63,
			   ~(u64)0,
			   ((u64)1 << 32) + start_info->domid,
			   0xffff};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		s64 r = vl_call_domain_info(hypercall_page, ids[i], ptr_to_pa(page).v,
					    sizeof(struct vl_domain_info));

		CHECK(r == -VL_ENOENT, "domain %#lx: %ld", ids[i], r);
	}
}

TEST(hypercall_domain_next, "U3")
{
	s64 first = vl_call_domain_next(hypercall_page, 0);
	s64 r;

	CHECK(first >= 0 && first <= start_info->domid, "the first domain is %ld", first);
	r = vl_call_domain_next(hypercall_page, start_info->domid);
	CHECK(r == start_info->domid, "next of the own id is %ld", r);
	r = vl_call_domain_next(hypercall_page, VL_DOMID_MAX);
	CHECK(r == -VL_ENOENT, "next of the highest id is %ld", r);
	r = vl_call_domain_next(hypercall_page, VL_DOMID_MAX + 1);
	CHECK(r == -VL_EINVAL, "next beyond the highest id is %ld", r);
	r = vl_call_domain_next(hypercall_page, (u64)1 << 32);
	CHECK(r == -VL_EINVAL, "next of 2^32 is %ld", r);
}

/* Read the log from *pos on into `page`. */
static struct vl_console_read *read_log(u64 pos, u64 size)
{
	struct vl_console_read *io = (void *)page;
	s64 r;

	memset(page, 0, sizeof(page));
	io->pos = pos;
	r = vl_call_console_read(hypercall_page, ptr_to_pa(io).v, size);
	CHECK(r >= 0 && (u64)r == io->size, "result %ld, size %u", r, io->size);
	CHECK((u64)r <= size - sizeof(*io), "%ld bytes into %zu", r, size - sizeof(*io));
	CHECK(io->pos >= pos && io->pos + io->size <= io->end, "pos %lu size %u end %lu", io->pos,
	      io->size, io->end);
	return io;
}

static bool contains(const char *text, size_t size, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= size; i++) {
		if (memcmp(text + i, word, n) == 0)
			return true;
	}
	return false;
}

TEST(hypercall_console_read, "U3 U4")
{
	struct vl_console_read *io = read_log(0, sizeof(page));
	u64 pos = io->pos + io->size;

	CHECK(contains((char *)(io + 1), io->size, "Vellum"), "no banner in the first %u bytes",
	      io->size);
	while (pos < io->end && pos < LOG_MAX) {
		CHECK(io->size > 0, "nothing at %lu, but the end is %lu", pos, io->end);
		io = read_log(pos, 100);
		pos = io->pos + io->size;
	}
	io = read_log(pos, sizeof(page));
	CHECK(io->size == 0 && io->end == pos, "%u bytes behind the end", io->size);
}

TEST(hypercall_console_read_bad, "U3")
{
	struct vl_console_read *io = read_log(0, sizeof(page));
	u64 pa = ptr_to_pa(page).v;
	s64 r;

	io->pos = io->end + 1;
	r = vl_call_console_read(hypercall_page, pa, sizeof(page));
	CHECK(r == -VL_EINVAL, "pos behind the end: %ld", r);
	io->pos = ~(u64)0;
	r = vl_call_console_read(hypercall_page, pa, sizeof(page));
	CHECK(r == -VL_EINVAL, "pos -1: %ld", r);
	io->pos = 0;
	r = vl_call_console_read(hypercall_page, pa, sizeof(*io) - 1);
	CHECK(r == -VL_EINVAL, "a buffer smaller than the structure: %ld", r);
	r = vl_call_console_read(hypercall_page, pa, sizeof(*io));
	CHECK(r == 0, "a buffer for the structure only: %ld", r);
}

static s64 rename_to(u64 domid, const char *bytes)
{
	struct vl_domain_name *new = (void *)page;

	memcpy(new->name, bytes, sizeof(new->name));
	return vl_call_domain_rename(hypercall_page, domid, ptr_to_pa(new).v, sizeof(*new));
}

static void expect_name(const char *name)
{
	struct vl_domain_info *info;

	get_domain(VL_DOMID_SELF, &info);
	CHECK(strcmp(info->name, name) == 0, "the name is %s", info->name);
}

TEST(hypercall_domain_rename, "U3 U4")
{
	static const char longest[32] = "1234567890123456789012345678901";
	static const char rest[32] = "short\0what stands behind it";
	static const char bad[][32] = {"", "a\nb", "a\x7f", "\xc3\xa4", {[0 ... 31] = 'x'}};
	char old[32];
	struct vl_domain_info *info;
	s64 r;

	get_domain(VL_DOMID_SELF, &info);
	memcpy(old, info->name, sizeof(old));
	r = rename_to(VL_DOMID_SELF, longest);
	CHECK(r == 0, "the longest name: %ld", r);
	expect_name(longest);
	r = rename_to(start_info->domid, rest);
	CHECK(r == 0, "by id: %ld", r);
	expect_name("short");
	r = rename_to(VL_DOMID_SELF, rest);
	CHECK(r == 0, "the same again: %ld", r);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		r = rename_to(VL_DOMID_SELF, bad[i]);
		CHECK(r == -VL_EINVAL, "bad name %zu: %ld", i, r);
	}
	r = rename_to(NO_DOMID, longest);
	CHECK(r == -VL_ENOENT, "no such domain: %ld", r);
	r = vl_call_domain_rename(hypercall_page, VL_DOMID_SELF, ptr_to_pa(page).v, 31);
	CHECK(r == -VL_EINVAL, "a buffer that is too small: %ld", r);
	r = vl_call_domain_rename(hypercall_page, VL_DOMID_SELF, ~(u64)0 - PAGE_SIZE + 1, 32);
	CHECK(r == -VL_EFAULT, "a buffer that is no RAM: %ld", r);
	expect_name("short");
	r = rename_to(VL_DOMID_SELF, old);
	CHECK(r == 0, "the old name: %ld", r);
	expect_name(old);
}
