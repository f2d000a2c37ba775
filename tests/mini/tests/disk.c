// SPDX-License-Identifier: MIT
/*
 * The machine's IDE controller becomes Vellum's, another guest has partitions of a
 * disk, and the controller comes back: this guest reads the same bytes by itself then. Needs
 * the disk that tests/emu/disk.py makes, as the first channel's second drive. With uncached=1 the
 * drive has no cache, so there is nothing to flush.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/ide.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/role_io.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc
#define ENABLE       0x80000000u
#define IDE          0x70108086u
#define COMMAND      0x04u
#define PORTS_ONLY   1u
#define FUNCTIONS    256u

#define LIMIT    120000u /* ms */
#define PATIENCE 20000u  /* the same */
#define DISK     1u
#define SECTORS  165u /* of partitions 1 and 2 */
#define WRITTEN  91u  /* what role_disk adds */

static struct vl_pci_taken taken __attribute__((aligned(256)));
static struct vl_disk_info disk __attribute__((aligned(1024)));
static struct vl_disk_extent extent __attribute__((aligned(32)));
static u8 sector[VL_SECTOR_SIZE];

static u64 frames_of_partition(void)
{
	static struct vl_hv_info hv __attribute__((aligned(256)));

	vl_call_hv_info(hypercall_page, ptr_to_pa(&hv).v, sizeof(hv));
	return hv.partition_free;
}

static u32 find_controller(void)
{
	for (u32 function = 0; function < FUNCTIONS; function++) {
		out32(ADDRESS_PORT, ENABLE | function << 8);
		if (in32(DATA_PORT) != IDE)
			continue;
		out32(ADDRESS_PORT, ENABLE | function << 8 | COMMAND);
		out32(DATA_PORT, PORTS_ONLY);
		return function;
	}
	test_skip("no IDE controller");
}

/* Until it has told all. */
static s64 look(u64 index)
{
	u64 late = rdtsc() + PATIENCE * tsc_per_ms();
	s64 answer = -VL_EAGAIN;

	while (answer == -VL_EAGAIN && rdtsc() < late)
		answer = vl_call_disk_info(hypercall_page, index, ptr_to_pa(&disk).v, sizeof(disk));
	return answer;
}

static void begin(u32 function)
{
	s64 answer = vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken));

	CHECK(answer == 0, "pci_take answered %ld", answer);
	CHECK(taken.function[0].kind == VL_PCI_DISK, "its kind is %u", taken.function[0].kind);
	answer = vl_call_disk_begin(hypercall_page, function);
	CHECK(answer == 0, "disk_begin answered %ld", answer);
	answer = look(DISK);
	CHECK(answer == 0, "disk_info answered %ld", answer);
}

static void end(u32 function)
{
	u64 late = rdtsc() + PATIENCE * tsc_per_ms();
	s64 answer = -VL_EAGAIN;

	while (answer == -VL_EAGAIN && rdtsc() < late)
		answer = vl_call_disk_end(hypercall_page, function);
	CHECK(answer == 0, "disk_end answered %ld", answer);
	answer = vl_call_pci_return(hypercall_page, function);
	CHECK(answer == 0, "pci_return answered %ld", answer);
}

static void adds(u64 domid, struct vl_disk_extent wanted, s64 expected)
{
	s64 answer;

	extent = wanted;
	answer = vl_call_disk_add(hypercall_page, domid, ptr_to_pa(&extent).v, sizeof(extent));
	CHECK(answer == expected, "disk_add(%u, %u, %lu, %lu, %#x) answered %ld, not %ld",
	      wanted.disk, wanted.partition, wanted.start, wanted.sectors, wanted.flags, answer,
	      expected);
}

static const struct vl_partition *partition(u32 number)
{
	for (u32 i = 0; i < disk.nr_partitions; i++)
		if (disk.partition[i].number == number)
			return &disk.partition[i];
	test_fail("there is no partition %u", number);
}

static void read_natively(u64 lba)
{
	u8 status;

	CHECK(ide_read_natively(lba, sector, &status), "status %#x at sector %lu", status, lba);
}

static void check_natively(const struct vl_partition *p, u32 seed)
{
	for (u64 s = 0; s < p->sectors; s++) {
		read_natively(p->start + s);
		for (u32 i = 0; i < VL_SECTOR_SIZE; i++)
			CHECK(sector[i] == (u8)(DISK_BYTE(s * VL_SECTOR_SIZE + i) + seed),
			      "sector %lu, byte %u: %#x", s, i, sector[i]);
	}
}

static void check_disks(void)
{
	CHECK(look(0) == -VL_ENOENT, "a CD-ROM drive is no disk");
	CHECK(look(VL_MAX_DISKS) == -VL_ENOENT, "disk %u", VL_MAX_DISKS);
	CHECK(vl_call_disk_info(hypercall_page, DISK, ptr_to_pa(&disk).v, sizeof(disk) - 1) ==
		      -VL_EINVAL,
	      "a small buffer");
	CHECK(look(DISK) == 0 && disk.table == VL_TABLE_MBR && (disk.flags & VL_DISK_SAFE),
	      "table %u, flags %#x", disk.table, disk.flags);
	print("# disk %s of %lu sectors, %u partitions, flags %#x\n", disk.model, disk.sectors,
	      disk.nr_partitions, disk.flags);
	CHECK(partition(1)->sectors == SECTORS && partition(2)->sectors == SECTORS, "partitions");
}

static void check_refusals(u64 domid)
{
	const u32 ro = VL_DEVICE_READ_ONLY;

	adds(0, (struct vl_disk_extent){.disk = DISK}, -VL_ENOENT);
	adds(domid, (struct vl_disk_extent){.disk = 0}, -VL_ENOENT);
	adds(domid, (struct vl_disk_extent){.disk = VL_MAX_DISKS}, -VL_ENOENT);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 4}, -VL_ENOENT);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 1, .start = SECTORS},
	     -VL_EINVAL);
	adds(domid,
	     (struct vl_disk_extent){.disk = DISK, .partition = 1, .start = 1, .sectors = SECTORS},
	     -VL_EINVAL);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .start = ~(uint64_t)0, .sectors = 2},
	     -VL_EINVAL);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .flags = 2}, -VL_EINVAL);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .line = 1}, -VL_EINVAL);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 1}, 0);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 2, .flags = ro}, 1);
	/* A writer is alone with its sectors; readers are not. */
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 1}, -VL_EBUSY);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 1, .flags = ro}, -VL_EBUSY);
	adds(domid, (struct vl_disk_extent){.disk = DISK}, -VL_EBUSY);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 2}, -VL_EBUSY);
	adds(domid, (struct vl_disk_extent){.disk = DISK, .partition = 2, .start = 9, .flags = ro},
	     2);
	adds(domid,
	     (struct vl_disk_extent){
		     .disk = DISK, .start = partition(1)->start + SECTORS - 1, .sectors = 1},
	     -VL_EBUSY);
	adds(domid,
	     (struct vl_disk_extent){
		     .disk = DISK, .start = partition(1)->start + SECTORS, .sectors = 1},
	     3);
}

static bool is_cached(void)
{
	char word[2];

	return !cmdline_get("uncached", word, sizeof(word));
}

TEST_ON_REQUEST(disk_partitions, "I7 I8 U3")
{
	u32 function = find_controller();
	struct other *g = other(0);
	struct vl_partition first, second;

	other_make(g, "disk", "role=disk");
	CHECK(vl_call_disk_begin(hypercall_page, function) == -VL_ENOENT, "not Vellum's yet");
	CHECK(look(DISK) == -VL_ENOENT, "nor its disks");
	begin(function);
	CHECK(vl_call_disk_begin(hypercall_page, function) == -VL_EEXIST, "twice");
	check_disks();
	first = *partition(1);
	second = *partition(2);
	check_refusals(g->domid);
	CHECK(vl_call_disk_end(hypercall_page, function) == -VL_EBUSY, "it is in use");
	CHECK(vl_call_pci_return(hypercall_page, function) == -VL_EBUSY, "and the controller, too");
	CHECK(vl_call_disk_write(hypercall_page, g->domid, 0, 0, ptr_to_pa(sector).v, 1) ==
		      -VL_EINVAL,
	      "a disk that is none of memory");
	CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
	other_await(g, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(g, "disks of 165 sectors hold"), "it said \"%s\"", g->text);
	CHECK(look(DISK) == 0 && (disk.flushes > 0) == is_cached() && disk.writes > 10 &&
		      disk.errors == 0 && disk.timeouts == 0 && (disk.flags & VL_DISK_USED),
	      "%lu flushes, %lu writes", disk.flushes, disk.writes);
	print("# %lu reads, %lu writes, %lu flushes, %lu by programmed I/O after a failure\n",
	      disk.reads, disk.writes, disk.flushes, disk.dma_failures);
	other_destroy(g);
	end(function);
	CHECK(look(DISK) == -VL_ENOENT, "it is this guest's");
	check_natively(&first, WRITTEN);
	CHECK(devirtualize() == 0, "devirtualize");
	check_natively(&first, WRITTEN);
	check_natively(&second, 0);
}

/* Again and again, with guests that end in the middle of a request. */
TEST_ON_REQUEST(disk_killed, "I7 I4")
{
	u32 function = find_controller();
	u64 frames = frames_of_partition();

	for (u32 round = 0; round < 4; round++) {
		struct other *g = other(0);

		other_make(g, "log", "role=log");
		begin(function);
		adds(g->domid, (struct vl_disk_extent){.disk = DISK, .partition = 3}, 0);
		CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
		other_await_text(g, "flushed 2", LIMIT);
		other_destroy(g);
		end(function);
		CHECK(devirtualize() == 0, "devirtualize");
		CHECK(frames_of_partition() == frames, "frames of Vellum's are missing");
	}
}

/* For ever, as long as it takes somebody to end the machine. */
TEST_ON_REQUEST(disk_log, "I7")
{
	struct other *g = other(0);

	other_make(g, "log", "role=log");
	begin(find_controller());
	adds(g->domid, (struct vl_disk_extent){.disk = DISK, .partition = 3}, 0);
	CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
	while (other_state(g) != VL_STATE_SHUTDOWN) {
		other_pass_time();
		other_listen(g);
		other_print_lines(g);
	}
}

/* The machine changes hands while a request is under way, which is long if the drive is slow. */
TEST_ON_REQUEST(disk_heir, "M19 I7")
{
	u32 function = find_controller();
	struct other *g = other(0);
	s64 answer;

	other_make(g, "keeper", "role=heir keeper start=800 test=entry*");
	begin(function);
	adds(g->domid, (struct vl_disk_extent){.disk = DISK, .partition = 3}, 0);
	CHECK(partition(3)->start == 0x800, "it begins at sector %#lx", partition(3)->start);
	CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
	other_await_text(g, "flushed 2", LIMIT);
	do
		answer = vl_call_hand_over(hypercall_page, g->domid, VL_REMAP_USUAL);
	while (answer == -VL_EAGAIN);
	test_fail("hand_over answered %ld", answer);
}
