/* SPDX-License-Identifier: MIT */
/*
 * The jump behind trap_catch(): remember where the stack is, call, and let the
 * trap handler come back to here instead of to the instruction that trapped.
 *
 *   u64 catch_call(u64 *saved_rsp, void (*fn)(void *), void *arg)
 *       returns 0 after fn(arg) returned, 1 after catch_resume(*saved_rsp)
 *   void catch_resume(u64 saved_rsp)
 */
	.text
	.globl catch_call
catch_call:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	mov %cs, %eax
	test $3, %al
	jz 2f
	/* At ring 3 this is the real flag, which is on; ours is off whenever fn may end at ring 0. */
	andl $~0x200, (%rsp)
2:	mov %rsp, (%rdi)
	mov %rdx, %rdi
	call *%rsi
	xor %eax, %eax
	jmp 1f

	.globl catch_resume
catch_resume:
	mov %rdi, %rsp
	mov $1, %eax
1:	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
