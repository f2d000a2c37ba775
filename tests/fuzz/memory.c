// SPDX-License-Identifier: MIT
/*
 * The whole chain of planning on machines made of the input: normalise the
 * map, choose the partition, make the guest's map, place the guest. What
 * succeeds must pass the verifiers of M10 and of the moves.
 */
/* shows: M10 I6 */
#include <string.h>

#include "mem/memmap.h"
#include "domain/placement.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/input.h"
#include "tests/unit/moves.h"

/* An address or size: a small number shifted, so that equal and neighbouring ones are frequent. */
static u64 take_address(struct input *in)
{
	u64 x = input_byte(in);
	u8 how = input_byte(in);

	return (x << (how & 63)) + (how >> 6 == 3 ? input_byte(in) : how >> 6 == 2 ? ~(u64)0 : 0);
}

/* A file inside one range of the map, be it RAM or not. The map is not empty. */
static struct range take_file(struct input *in, const struct memmap *machine)
{
	const struct vl_memory_range *r = &machine->range[input_byte(in) % machine->count];
	u64 start = r->start + take_address(in) % r->size;
	u64 size = take_address(in) % (r->start + r->size - start + 1);

	return (struct range){start, start + size};
}

static void place(struct input *in, const struct memmap *machine, const struct memmap *guest,
		  struct range partition)
{
	struct range busy[PLACEMENT_MAX_BUSY];
	struct placement_request req = {
		.machine = machine,
		.guest = guest,
		.partition = partition,
		.kernel_start = take_address(in),
		.kernel_size = take_address(in),
		.kernel_align = (u64)1 << (12 + input_byte(in) % 16),
		.kernel_relocatable = input_byte(in) & 1,
		.kernel_file = take_file(in, machine),
		.initrd_file = take_file(in, machine),
		.initrd_addr_max = take_address(in),
		.start_size = take_address(in) | 1,
		.busy = busy,
		.busy_count = input_byte(in) % (PLACEMENT_MAX_BUSY + 1),
	};
	struct failure f = {0};
	struct placement p;
	const char *wrong;
	int err;

	for (u32 i = 0; i < req.busy_count; i++)
		busy[i] = take_file(in, machine);
	err = placement_plan(&req, &p, &f);
	must(err == 0 || (err == -f.err && f.text[0] != 0));
	wrong = err == 0 ? moves_check(&req, &p) : NULL;
	if (wrong)
		broken(wrong, __FILE__, __LINE__);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct memmap machine, guest;
	struct input in = {data, size};
	struct vl_memory_range raw[32];
	u32 count = input_byte(&in) % (ARRAY_SIZE(raw) + 1);
	u8 kind = input_byte(&in);
	enum memory_mode mode = (enum memory_mode)((kind >> 2) % (MEM_ALL + 1));
	u64 partition_size = take_address(&in);
	struct failure f = {0};
	struct range partition;

	for (u32 i = 0; i < count; i++)
		raw[i] = (struct vl_memory_range){.start = take_address(&in),
						  .size = take_address(&in),
						  .type = input_byte(&in) & 7};
	if (count > 0 && (kind & 2)) /* else hardly any machine is large enough */
		raw[0] = (struct vl_memory_range){MIB, (18 + (u64)kind) * MIB, VL_MEMORY_RAM, 0};
	must(memmap_normalize(raw, count, &machine, &f) == 0);
	if (memmap_choose_partition(&machine, partition_size, &partition, &f) != 0)
		return 0;
	must(memmap_is_ram(&machine, partition) && range_size(partition) >= partition_size);
	must(memmap_for_guest(&machine, partition, mode, &guest, &f) == 0);
	must(memmap_check_guest(&guest, &machine, partition, mode, &f) == 0);
	must(range_size(memmap_main_range(&guest)) >= MEMMAP_GUEST_MIN);
	place(&in, &machine, &guest, partition);
	return 0;
}
