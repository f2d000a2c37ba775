// SPDX-License-Identifier: MIT
/*
 * The boot, told from top to bottom: from GRUB's information to the first
 * instruction of the first guest.
 *
 *  1. listen: copy the boot information, read the options, open the console
 *  2. plan:   machine map, partition, guest map, kernel, where everything goes
 *  3. move:   modules out of the way, Vellum into its partition
 *  4. load:   kernel, start area
 *  5. leave:  the console and the machine are the guest's
 *
 * Whatever fails up to the end of 2 fails before anything was changed; every
 * failure is one sentence on the console, and a halt.
 */
#include "boot/bootinfo.h"
#include "boot/main.h"
#include "boot/loader.h"
#include "boot/madt.h"
#include "cpu/apic.h"
#include "cpu/descriptors.h"
#include "cpu/domain_platform.h"
#include "cpu/panic.h"
#include "cpu/percpu.h"
#include "domain/domain.h"
#include "domain/options.h"
#include "io/console.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "domain/switches.h"
#include "lib/x86.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/machine.h"
#include "mem/own_tables.h"
#include "p2m/memory.h"
#include "shadow/tables.h"
#include "public/errno.h"
#include "transition/own_image.h"
#include "version.h"

#define VGA_TEXT 0xb8000u

static struct boot_info info;
static struct options options;
static struct loader_plan plan; /* too large for the stack */

static __attribute__((noreturn)) void stop(const struct failure *f)
{
	log_print("vellum: error: %s\n", f->text);
	halt_forever();
}

/* Before the options are known, and for an error in them, the console is everything there is. */
static void open_console(const struct options *o)
{
	const struct log_sink *serial = (o->console & CONSOLE_SERIAL) ? &uart_sink : NULL;
	const struct log_sink *vga = (o->console & CONSOLE_VGA) ? &vga_sink : NULL;

	if (serial != NULL)
		uart_init(o->serial_port, o->serial_baud);
	log_set_sinks(serial, vga);
	panic_set_sinks(serial, vga);
}

static bool has_text_screen(void)
{
	return !info.framebuffer.present || info.framebuffer.type == BOOT_FRAMEBUFFER_TEXT;
}

static void listen(u64 mbi)
{
	struct failure f = {0}, g = {0};
	int parsed = boot_info_parse(direct((ma_t){mbi}), BOOT_INFO_LIMIT, &info, &f);
	int understood = options_parse(info.cmdline, &options, &g);

	if (has_text_screen())
		vga_init(direct((ma_t){VGA_TEXT}));
	open_console(&options);
	log_print("Vellum %s (%s)\n", VELLUM_VERSION, VELLUM_BUILD);
	if (parsed < 0)
		stop(&f);
	if (understood < 0)
		stop(&g);
	log_print("vellum: loaded by %s, options: %s\n", info.loader, info.cmdline);
}

static const char *const type_names[] = {
	[VL_MEMORY_RAM] = "ram",      [VL_MEMORY_RESERVED] = "reserved", [VL_MEMORY_ACPI] = "acpi",
	[VL_MEMORY_NVS] = "acpi nvs", [VL_MEMORY_BAD] = "bad",
};

static void print_map(const char *whose, const struct memmap *map)
{
	for (u32 i = 0; i < map->count; i++) {
		const struct vl_memory_range *r = &map->range[i];

		log_print("vellum: %s memory [0x%lx-0x%lx) %s\n", whose, r->start,
			  r->start + r->size, type_names[r->type]);
	}
}

/* Without vellum_mem=: the default, but no more than a quarter of a small machine. */
static u64 partition_size(void)
{
	u64 quarter = round_down(memmap_ram_total(machine_map()) / 4, MEMMAP_PARTITION_ALIGN);

	if (options.partition_size != 0)
		return options.partition_size;
	return max_u64(OPTIONS_PARTITION_MIN, min_u64(OPTIONS_PARTITION_DEFAULT, quarter));
}

/* The first page tables map the memory below 4 GiB. */
static const u8 *map_table(u64 ma, u32 size)
{
	return ma < MEMMAP_32BIT_END && size <= MEMMAP_32BIT_END - ma ? direct((ma_t){ma}) : NULL;
}

/* Further processors begin below 1 MiB: a guest that has none is not shown what lies there. */
static enum memory_mode memory_mode(void)
{
	u32 cpus = madt_count_cpus(info.rsdp, info.rsdp_size, map_table);

	log_print("vellum: %u CPUs in the firmware's tables\n", cpus);
	if (options.memory_given)
		return options.memory;
	return cpus > 1 ? MEM_WITH_LOW : MEM_CONTIGUOUS;
}

static void plan_memory(struct range *partition, ma_t old_image)
{
	struct memmap *guest = &domain_first()->memory;
	struct range image = {old_image.v, old_image.v + own_image_size()};
	enum memory_mode mode = memory_mode();
	struct failure f = {0};

	if (memmap_normalize(info.memory, info.memory_count, machine_map(), &f) < 0 ||
	    memmap_choose_partition(machine_map(), partition_size(), partition, &f) < 0 ||
	    memmap_for_guest(machine_map(), *partition, mode, guest, &f) < 0 ||
	    memmap_check_guest(guest, machine_map(), *partition, mode, &f) < 0)
		stop(&f);
	if (range_overlaps(image, *partition)) {
		fail(&f, VL_ENOMEM,
		     "The machine has too little RAM below 4 GiB for Vellum's partition: give it "
		     "less "
		     "with vellum_mem=.");
		stop(&f);
	}
	if (options.debug)
		print_map("machine", machine_map());
	log_print("vellum: partition [0x%lx-0x%lx)\n", partition->start, partition->end);
	print_map("guest", guest);
}

static void move_in(struct range partition, ma_t old_image)
{
	struct failure f = {0};
	mfn_t image;

	frames_init(partition);
	if (!frame_alloc_run(own_image_size() >> PAGE_SHIFT, &image))
		panic("the partition cannot hold the image"); /* options.c sets the minimum */
	if (own_tables_build(machine_map(), mfn_to_ma(image), &f) < 0)
		stop(&f);
	own_tables_enter(old_image);
	if (tables_init(&f) < 0)
		stop(&f);
	if (cpu_add(own_apic_id()) < 0) {
		fail(&f, VL_ENOMEM,
		     "Vellum's partition has no memory for a CPU: give it more with vellum_mem=.");
		stop(&f);
	}
	if (has_text_screen())
		vga_move(own_vga_text());
	p2m_memory_init();
	own_image_init();
}

void boot_main(u64 mbi, u64 tsc)
{
	ma_t old_image = own_load_address();
	struct range partition;
	struct failure f = {0};

	descriptors_init(&boot_cpu.cpu);
	domain_init();
	listen(mbi);
	plan_memory(&partition, old_image);
	domain_first()->main_ram = memmap_largest_ram(&domain_first()->memory);
	domain_p2m_changed(domain_first());
	if (loader_plan(&info, &options, partition, old_image, &plan, &f) < 0)
		stop(&f);
	loader_move(&plan);
	move_in(partition, old_image);
	loader_load(&info, &options, &plan);
	switches = (struct switches){.shadow = options.shadow,
				     .fast = options.fast,
				     .owners = options.owners,
				     .remap = options.remap};
	apic_init(options.apic_trapped, options.own_timer);
	domain_clocks_init();
	events_begin(domain_first(), first_domain_upcall);
	log_print("vellum: entry tsc %lu\n", tsc);
	log_print("vellum: guest entry tsc %lu, %lu bytes copied, %lu bytes checked\n", rdtsc(),
		  plan.bytes_copied, plan.bytes_checked);
	log_print("vellum: entering guest at 0x%lx\n", plan.entry);
	log_set_sinks(NULL, NULL);
	lock_set_delays(options.delays, options.delays_seed);
	domain_first()->tsc_start = rdtsc();
	loader_enter(&options, &plan);
}
