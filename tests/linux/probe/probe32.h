/* SPDX-License-Identifier: MIT */
/*
 * The 32-bit half of the probe: the same way to run code as in probe.h, for a 32-bit process
 * without a C library. Addresses match probe.h.
 */
#ifndef PROBE32_H
#define PROBE32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_AT     0x10000000u
#define CODE_SIZE   0x2000u
#define STACK_AT    0x20000000u
#define STACK_SIZE  0x10000u
#define STACK_TOP   (STACK_AT + 0x8000u)
#define DATA_AT     0x30000000u
#define DATA_SIZE   0x2000u
#define SIGSTACK_AT 0x40000000u
#define SIGSTACK_SZ 0x10000u

#define USER32_CS 0x23u
#define USER_DS   0x2bu

/* Kernel's struct sigcontext_32. */
struct context32 {
	uint16_t gs, gsh, fs, fsh, es, esh, ds, dsh;
	uint32_t di, si, bp, sp, bx, dx, cx, ax;
	uint32_t trapno, err, ip;
	uint16_t cs, csh;
	uint32_t flags, sp_at_signal;
	uint16_t ss, ssh;
	uint32_t fpstate, oldmask, cr2;
};

struct event32 {
	uint32_t signo;
	int32_t code;
	uint32_t addr;
	struct context32 c;
};

struct shot32 {
	struct context32 c;
	bool (*on_event)(struct event32 *ev, struct context32 *c);
};

long call32(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e);
void setup32(void);
void shot32_init(struct shot32 *s);
void shot32_run(const struct shot32 *s, struct event32 *ev);
/* Writes hex to the code area; the rest becomes int3. Returns the number of bytes. */
uint32_t code32_hex(const char *hex);

/* printf with %s, %x, %d only; one line, one write. */
void say32(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints an event behind name; addresses inside the vdso become offsets into it. */
void say_event(const char *name, const struct event32 *ev);
/* Address as text for say32: offset into code ("+5"), into the vdso ("vdso+5"), or plain. */
const char *where32(uint32_t ip, char buf[24]);

/* From the auxiliary vector: the vdso and its system call entry; 0 when absent. */
extern uint32_t vdso_at, vdso_entry;

#endif
