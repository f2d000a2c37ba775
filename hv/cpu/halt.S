/* SPDX-License-Identifier: MIT */
/*
 * HLT and MWAIT of a vcpu. An NMI that comes between the last look at what it may
 * announce and the HLT must not be slept over: trap() takes it to the end then.
 */

	.section .text, "ax"
/* void halt_unless(const u32 *waits /rdi/, const bool *nmi /rsi/): HLT with interrupts on, unless one of
 * the two is set; interrupts are off again behind it. */
	.globl halt_unless, halt_unless_start, halt_unless_end
halt_unless:
halt_unless_start:
	cmpl $0, (%rdi)
	jne halt_unless_end
	cmpb $0, (%rsi)
	jne halt_unless_end
	sti
	hlt
halt_unless_end:
	cli
	ret

/* void mwait_unless(const u32 *waits /rdi/, const bool *nmi /rsi/, u32 hint /edx/): the same with MWAIT, which
 * a store to the line that MONITOR has armed ends, too. Changes eax, ecx. */
	.globl mwait_unless, mwait_unless_start, mwait_unless_end
mwait_unless:
mwait_unless_start:
	cmpl $0, (%rdi)
	jne mwait_unless_end
	cmpb $0, (%rsi)
	jne mwait_unless_end
	movl %edx, %eax
	xorl %ecx, %ecx
	sti
	mwait
mwait_unless_end:
	cli
	ret

	.section .note.GNU-stack, "", @progbits
