/* SPDX-License-Identifier: MIT */
/*
 * Interface of the exactness probe. The probe is one user program that prints everything a process
 * can see of the CPU; run natively and virtualized on one emulator its output must be equal byte
 * for byte. Hence the one invariant of every file here: a line depends on the CPU and the kernel
 * only, never on time, process ids, randomized addresses or the order of events between processes.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <sys/ucontext.h>

/* ---- fixed addresses: all below 4 GiB so that 16- and 32-bit code reaches them ---- */

#define CODE_AT     0x10000000ul /* code under test, 2 pages, rwx; unused bytes are int3 */
#define CODE_SIZE   0x2000ul
#define STACK_AT    0x20000000ul /* stack of the code under test */
#define STACK_SIZE  0x10000ul
#define STACK_TOP   (STACK_AT + 0x8000ul) /* leaves room above for operands */
#define DATA_AT     0x30000000ul          /* operands, 2 pages */
#define DATA_SIZE   0x2000ul
#define SIGSTACK_AT 0x40000000ul /* alternate stack of the handlers */
#define SIGSTACK_SZ 0x20000ul
#define SPARE_AT    0x50000000ul /* subjects map here what they need */

#define USER_CS   0x33u
#define USER32_CS 0x23u
#define USER_DS   0x2bu

#define FL_CF         (1ul << 0)
#define FL_ARITHMETIC 0x8d5ul
#define FL_TF         (1ul << 8)
#define FL_IF         (1ul << 9)
#define FL_DF         (1ul << 10)
#define FL_IOPL       (3ul << 12)
#define FL_NT         (1ul << 14)
#define FL_RF         (1ul << 16)
#define FL_VM         (1ul << 17)
#define FL_AC         (1ul << 18)
#define FL_VIF        (1ul << 19)
#define FL_VIP        (1ul << 20)
#define FL_ID         (1ul << 21)

/* ---- output (out.c) ---- */

/* Prints one line; the newline is added. Lines go straight to descriptor 1. */
void out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Like out() for values that may differ between native and virtualized runs; marked "#hw". */
void out_hw(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Continues a 64-bit FNV-1a hash over size bytes; start with HASH_START. */
#define HASH_START 0xcbf29ce484222325ul
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);
/* Name of an errno value for return values of raw system calls (0 and positive: "ok"). */
const char *rc_text(long rc, char buf[24]);
/* Signal number as short text ("SEGV"). */
const char *signal_text(int signo);

/* ---- running code under test (engine.c) ---- */

/* What a signal showed. signo 0: nothing happened. */
struct event {
	int signo;
	int code;
	uint64_t addr;
	greg_t g[NGREG]; /* as in ucontext, REG_* indices */
	uint32_t mxcsr;
	uint16_t x87_status;
	uint64_t uc_flags;
};

/*
 * One run: the registers to start with, loaded by a forged sigreturn. on_event, when set, sees
 * each signal; it returns true to let the code go on with the registers in g[], false to end.
 */
struct shot {
	greg_t g[NGREG];
	bool lax_ss; /* leave UC_STRICT_RESTORE_SS out of the frame */
	bool (*on_event)(struct event *ev, greg_t *g);
};

/* Maps the fixed areas and installs the handlers; once per process tree. */
void engine_setup(void);
/* Fills s with a harmless state: rip CODE_AT, rsp STACK_TOP, 64-bit user selectors, IF only. */
void shot_init(struct shot *s);
void shot_cs_ss(struct shot *s, unsigned cs, unsigned ss);
unsigned greg_cs(const greg_t *g);
unsigned greg_ss(const greg_t *g);
/* Runs s to its (last) signal; data segments, FS and GS bases, FPU control come back as before. */
void shot_run(const struct shot *s, struct event *ev);
/* Reads the segment selectors right after the run, before they are restored: ds es fs gs. */
extern uint16_t shot_selectors[4];

/* Replaces the code area by bytes written in hex ("0f 05"); returns their number. */
size_t code_hex(const char *hex);
/* Writes hex at CODE_AT + at without clearing the rest; returns the offset behind it. */
size_t code_at(size_t at, const char *hex);
size_t code_u32(size_t at, uint32_t value);
void data_clear(void);
/*
 * SYSENTER comes back with the arithmetic flags of the kernel's page table switch, which depend on
 * the address space number of the moment: clears them in ev when hex holds one.
 */
void hide_sysenter_flags(const char *hex, struct event *ev);
/* Hex of code, run from shot s (or the default when NULL), outcome printed as "name: ...". */
void try_hex(const char *name, const char *hex, const struct shot *s);

/* Outcome as text: "done ..." when the int3 at CODE_AT+end was reached, else the signal. */
const char *event_text(const struct event *ev, size_t end, char buf[200]);
/* Short form: "ok" or "#trap/err". */
const char *event_short(const struct event *ev, size_t end, char buf[48]);
bool event_done(const struct event *ev, size_t end);

/* ---- processes (process.c) ---- */

/*
 * Runs fn(arg) in a child with a time limit; prints "name: died of SIG" or "name: exit N" when it
 * does not end with status 0. Returns the wait status.
 */
int isolated(const char *name, void (*fn)(const void *arg), const void *arg);

/* ---- environment ---- */

bool cpu_has_fsgsbase(void); /* AT_HWCAP2 bit 1: usable by user code */
bool cpuinfo_flag(const char *flag);
/* TCG 7.2 reads the user stack as supervisor in far returns: with SMAP the kernel oopses. */
bool far_stack_unsafe(void);
/* TCG also oopses the kernel when such a stack is not mapped, SMAP or not. */
bool cpu_is_tcg(void);
bool kernel_has_int80(void);

/* Descriptors for modify_ldt and set_thread_area, in the kernel's layout. */
struct user_desc_word {
	uint32_t entry;
	uint32_t base;
	uint32_t limit;
	uint32_t flags;
};

#define UD_32BIT       0x01u
#define UD_DATA        0x00u
#define UD_EXPAND_DOWN 0x02u
#define UD_CODE        0x04u
#define UD_CONFORMING  0x06u
#define UD_READONLY    0x08u /* for code: execute only */
#define UD_PAGES       0x10u
#define UD_NOT_PRESENT 0x20u
#define UD_USEABLE     0x40u
#define UD_LONG        0x80u

#define LDT_SEL(n) ((unsigned)(n)*8u + 7u)

/* modify_ldt(func) of one entry; returns 0 or a negative errno. func 0x11 is the new form. */
long ldt_set(int func, unsigned entry, uint32_t base, uint32_t limit, uint32_t flags);
/* Entry numbers of the standard LDT that ldt_standard() installs. */
enum ldt_entry {
	LDT_CODE32,
	LDT_DATA32,
	LDT_CODE16,
	LDT_DATA16,
	LDT_CODE32_ABSENT,
	LDT_DATA32_ABSENT,
	LDT_CODE_CONFORMING,
	LDT_CODE_XONLY,
	LDT_DATA_RO,
	LDT_DATA_DOWN,
	LDT_CODE_LIMITED,
	LDT_DATA_LIMITED,
	LDT_STACK16_DOWN,
	LDT_ENTRIES
};
/* Installs the standard LDT; returns 0 or the negative errno of the first failure. */
long ldt_standard(void);

/* Raw system call without errno or cancellation. */
long raw(long nr, long a, long b, long c, long d, long e, long f);
#define RAW0(nr)             raw(nr, 0, 0, 0, 0, 0, 0)
#define RAW1(nr, a)          raw(nr, (long)(a), 0, 0, 0, 0, 0)
#define RAW2(nr, a, b)       raw(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define RAW3(nr, a, b, c)    raw(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define RAW4(nr, a, b, c, d) raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The selectors that far transfers, segment loads and sigreturn try: *count of them. */
const uint16_t *selector_list(size_t *count);

/* ---- subjects: each prints its own part ---- */

void subject_descriptors(void);
void subject_segread(void);
void subject_segload(void);
void subject_segload32(void);
void subject_farjump(void);
void subject_farreturn(void);
void subject_farmode32(void);
void subject_privileged(void);
void subject_invalid(void);
void subject_unprivileged(void);
void subject_intn(void);
void subject_arith(void);
void subject_pages(void);
void subject_kerneladdr(void);
void subject_canonical(void);
void subject_align(void);
void subject_vsyscall(void);
void subject_step(void);
void subject_ptstep(void);
void subject_ptregs(void);
void subject_ptsyscall(void);
void subject_debugregs(void);
void subject_movss(void);
void subject_sigcs(void);
void subject_sigss(void);
void subject_sigflags(void);
void subject_sigaddr(void);
void subject_sysflags(void);
void subject_sysregs(void);
void subject_bases(void);
void subject_tls(void);
void subject_ldt(void);
void subject_code16(void);
void subject_espfix(void);
void subject_code32(void);
void subject_ioports(void);
void subject_fpuexc(void);
void subject_fpustate(void);
void subject_cpuid(void);
void subject_time(void);
void subject_rseq(void);
void subject_seccomp(void);
void subject_clone(void);
void subject_altstack(void);
void subject_nested(void);
void subject_uffd(void);
void subject_probe32(void);

#endif
