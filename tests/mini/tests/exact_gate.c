// SPDX-License-Identifier: MIT
/*
 * Interrupt gates as no kernel makes them: each type byte, selectors that are
 * no code, handlers and stacks at addresses that nobody maps. The vector part
 * of error codes is left out, since QEMU counts it twice.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/layout.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/tests/observe.h"
#include "mini/tests/user_program.h"

#define VECTOR            0x81
#define IST_OF_TEST       4
#define IDT_BIT           2u
#define GATE_INT          0x8e
#define GATE_INT_USER     0xee
#define NON_CANONICAL(va) ((u64)((s64)((va) << 16) >> 16) != (va))

static const u64 addresses[] = {
	0x0000000000000000, 0x0000000012345678, 0x00007ffffffff000, 0x0000800000000000,
	0xffff7ffffffff000, 0xffff800000000000, 0xffff800000100000, 0xffff808000000000,
	0xffff87fffffff000, 0xffff880000000000, 0xffffffffc0800000, 0x8000000000000000,
};
static const u16 selectors[] = {
	0,       3,    4,    KERNEL_CS | 3, KERNEL_CS | 4, KERNEL_DS, USER_DS,
	TSS_SEL, 0x48, 0x50, 0x7c0,         0x7e3,         0xfff8,
};

static struct user_program program;

static void int81(void *arg)
{
	(void)arg;
	asm volatile("int $0x81" ::: "memory");
}

/* The gate from ring 0 and from ring 3. */
static void try_gate(const char *what, u64 value)
{
	for (int ring = 0; ring <= 3; ring += 3) {
		struct outcome o = ring == 0 ? observe_kernel(int81, NULL)
					     : observe_user(&program.regs, USER_IRET, NULL);

		if (o.info.vector != TRAP_PF && (o.info.error & IDT_BIT))
			o.info.error = IDT_BIT;
		print("= gate %s %#lx ring %d: %s\n", what, value, ring, outcome_text(&o));
	}
}

static void at_gate(const struct trap_frame *frame)
{
	if ((frame->cs & 3) == 0)
		trap_throw(VECTOR);
	user_leave(frame, &(struct trap_info){.vector = frame->vector, .rip = frame->rip});
}

static void set_offset(struct trap_gate *gate, u64 offset)
{
	gate->offset_low = (u16)offset;
	gate->offset_middle = (u16)(offset >> 16);
	gate->offset_high = (u32)(offset >> 32);
}

/* QEMU has #GP where the SDM has #SS, or nothing. */
static bool usable(u64 va)
{
	char word[2];

	return !NON_CANONICAL(va) || !cmdline_get("canonical", word, sizeof(word));
}

TEST_ON_REQUEST(exact_gate, "I2 I4")
{
	struct trap_gate *gate = trap_gate(VECTOR), before = *gate;
	u64 ist = segments_ist(IST_OF_TEST);

	USER_PROGRAM_LOAD(&program, int81);
	trap_set_handler(VECTOR, at_gate);
	for (u32 type = 0; type < 256; type++) {
		gate->type = (u8)type;
		try_gate("type", type);
	}
	gate->type = GATE_INT_USER;
	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++) {
		gate->selector = selectors[i];
		try_gate("selector", selectors[i]);
	}
	gate->selector = KERNEL_CS;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		if (!usable(addresses[i]))
			continue;
		set_offset(gate, addresses[i]);
		try_gate("handler", addresses[i]);
	}
	*gate = before;
	gate->type = GATE_INT_USER;
	gate->ist = IST_OF_TEST;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		if (!usable(addresses[i]))
			continue;
		segments_set_ist(IST_OF_TEST, addresses[i]);
		try_gate("stack", addresses[i]);
	}
	*gate = before;
	segments_set_ist(IST_OF_TEST, ist);
	trap_set_handler(VECTOR, NULL);
	user_program_unload(&program);
}
