/* SPDX-License-Identifier: MIT */
/*
 * The decoder's cross-check against binutils: every line is assembled by gas,
 * which thereby supplies bytes and length, and says beside it what describe()
 * (decode_text.h) must give. Makes the table decode_lines[] of decode_test.c.
 */

	.macro	LINE text:req, insn:vararg
	.section .rodata.decode_text, "a"
.Ltext\@:
	.asciz	"\text"
	.section .rodata.decode_bytes, "a"
.Lbytes\@:
	\insn
.Lend\@:
	.section .data.rel.ro.decode_lines, "aw"
	.quad	.Lbytes\@
	.long	.Lend\@ - .Lbytes\@
	.long	code_size
	.quad	.Ltext\@
	.endm

	.macro	MODE size:req
	.section .rodata.decode_bytes, "a"
	.code\size
	.set	code_size, \size
	.endm

	.section .data.rel.ro.decode_lines, "aw"
	.balign	8
	.globl	decode_lines
decode_lines:

	MODE	64
	LINE	"CLI", cli
	LINE	"STI", sti
	LINE	"HLT", hlt
	LINE	"PUSHF.8", pushfq
	LINE	"PUSHF.2", pushfw
	LINE	"POPF.8", popfq
	LINE	"POPF.2", popfw
	LINE	"STAC", stac
	LINE	"CLAC", clac
	LINE	"CLD", cld
	LINE	"STD", std
	LINE	"SWAPGS", swapgs
	LINE	"IRET.8", iretq
	LINE	"IRET.4", iretl
	LINE	"IRET.2", iretw
	LINE	"SYSCALL", syscall
	LINE	"SYSRET.8", sysretq
	LINE	"SYSRET.4", sysretl
	LINE	"SYSENTER", sysenter
	LINE	"SYSEXIT.4", sysexitl
	LINE	"SYSEXIT.8", sysexitq
	LINE	"INT $0x80", int $0x80
	LINE	"INT3", int3
	LINE	"ICEBP", int1
	LINE	"UD2", ud2
	LINE	"RET_FAR.8", lretq
	LINE	"RET_FAR.4", lretl
	LINE	"RET_FAR.8 $0x20", lretq $0x20
	LINE	"CALL_FAR.8 [ds:rax+r9*4+0x80]:10", rex.W lcall *0x80(%rax,%r9,4)
	LINE	"CALL_FAR.4 [ds:rip+0x44]:6", lcall *0x44(%rip)
	LINE	"JMP_FAR.4 [ss:rsp+0x8]:6", ljmp *8(%rsp)
	LINE	"JMP_FAR.8 [ds:r13]:10", rex.W ljmp *(%r13)
	LINE	"MOV_FROM_CR.8 rax, cr0", mov %cr0, %rax
	LINE	"MOV_FROM_CR.8 r15, cr2", mov %cr2, %r15
	LINE	"MOV_FROM_CR.8 rsi, cr3", mov %cr3, %rsi
	LINE	"MOV_FROM_CR.8 rbp, cr4", mov %cr4, %rbp
	LINE	"MOV_FROM_CR.8 rdx, cr8", mov %cr8, %rdx
	LINE	"MOV_TO_CR.8 cr0, r11", mov %r11, %cr0
	LINE	"MOV_TO_CR.8 cr2, rax", mov %rax, %cr2
	LINE	"MOV_TO_CR.8 cr3, rsp", mov %rsp, %cr3
	LINE	"MOV_TO_CR.8 cr4, r12", mov %r12, %cr4
	LINE	"MOV_TO_CR.8 cr8, rax", mov %rax, %cr8
	LINE	"MOV_FROM_DR.8 rax, dr6", mov %db6, %rax
	LINE	"MOV_FROM_DR.8 r9, dr3", mov %db3, %r9
	LINE	"MOV_TO_DR.8 dr7, rax", mov %rax, %db7
	LINE	"MOV_TO_DR.8 dr0, r8", mov %r8, %db0
	LINE	"CLTS", clts
	LINE	"LMSW.2 rax", lmsw %ax
	LINE	"LMSW.2 [ds:rdi+0x2]", lmsw 2(%rdi)
	LINE	"SMSW.4 rax", smsw %eax
	LINE	"SMSW.8 r10", smsw %r10
	LINE	"SMSW.2 rdx", smsw %dx
	LINE	"SMSW.4 [ss:rsp]:2", smsw (%rsp)
	LINE	"RDMSR", rdmsr
	LINE	"WRMSR", wrmsr
	LINE	"RDPMC", rdpmc
	LINE	"RDTSC", rdtsc
	LINE	"RDTSCP", rdtscp
	LINE	"CPUID", cpuid
	LINE	"XGETBV", xgetbv
	LINE	"XSETBV", xsetbv
	LINE	"XSAVES.8 [ds:rdi+0x40]:0", xsaves64 0x40(%rdi)
	LINE	"XSAVES.4 [ds:rax]:0", xsaves (%rax)
	LINE	"XRSTORS.8 [ds:r14+rax*8]:0", xrstors64 (%r14,%rax,8)
	LINE	"XRSTORS.4 [gs:0x100]:0", xrstors %gs:0x100
	LINE	"MONITOR [ds:rax]", monitor %rax, %ecx, %edx
	LINE	"MONITOR [ds:rax] a4", monitor %eax, %ecx, %edx
	LINE	"MWAIT", mwait %eax, %ecx
	LINE	"RDFSBASE.8 rax", rdfsbase %rax
	LINE	"RDFSBASE.4 r9", rdfsbase %r9d
	LINE	"RDGSBASE.8 r15", rdgsbase %r15
	LINE	"WRFSBASE.8 rcx", wrfsbase %rcx
	LINE	"WRGSBASE.4 rsp", wrgsbase %esp
	LINE	"WRGSBASE.8 r8", wrgsbase %r8
	LINE	"INVD", invd
	LINE	"WBINVD", wbinvd
	LINE	"INVLPG [ds:rax]", invlpg (%rax)
	LINE	"INVLPG [gs:rcx+rdx*2-0x1]", invlpg %gs:-1(%rcx,%rdx,2)
	LINE	"INVPCID.8 rax, [ss:rsp]:16", invpcid (%rsp), %rax
	LINE	"INVPCID.8 r11, [ds:r12+r13*1+0x12345678]:16", invpcid 0x12345678(%r12,%r13), %r11
	LINE	"LGDT.8 [ds:rip+0x8]:10", lgdt 8(%rip)
	LINE	"LIDT.8 [ds:rax]:10", lidt (%rax)
	LINE	"SGDT.8 [ss:rsp]:10", sgdt (%rsp)
	LINE	"SIDT.8 [ss:rbp-0x10]:10", sidt -16(%rbp)
	LINE	"LLDT.2 rax", lldt %ax
	LINE	"LLDT.2 [ds:r9]", lldt (%r9)
	LINE	"SLDT.4 rax", sldt %eax
	LINE	"SLDT.4 r8", sldt %r8
	LINE	"SLDT.4 [ds:rax]:2", sldt (%rax)
	LINE	"LTR.2 r10", ltr %r10w
	LINE	"STR.4 rbx", str %rbx
	LINE	"STR.4 rbx", str %ebx
	LINE	"LAR.4 rdx, rax:2", lar %ax, %edx
	LINE	"LAR.8 r9, [ds:rdi]:2", lar (%rdi), %r9
	LINE	"LSL.4 rcx, rbx:2", lsl %bx, %ecx
	LINE	"LSL.2 rcx, [ds:rbx]", lsl (%rbx), %cx
	LINE	"VERR.2 rax", verr %ax
	LINE	"VERW.2 [ds:rip+0x1234]", verw 0x1234(%rip)
	LINE	"VERW.2 [ss:rsp-0x8]", verw -8(%rsp)
	LINE	"MOV_TO_SREG.2 ds, rax", mov %eax, %ds
	LINE	"MOV_TO_SREG.2 ss, rcx", mov %ecx, %ss
	LINE	"MOV_TO_SREG.2 gs, [ds:rip+0x10]", mov 0x10(%rip), %gs
	LINE	"MOV_FROM_SREG.4 rdi, fs", mov %fs, %edi
	LINE	"MOV_FROM_SREG.4 r12, es", mov %es, %r12
	LINE	"MOV_FROM_SREG.4 [ds:rax]:2, cs", mov %cs, (%rax)
	LINE	"PUSH_SREG.8 fs", push %fs
	LINE	"PUSH_SREG.2 gs", pushw %gs
	LINE	"POP_SREG.8 gs", pop %gs
	LINE	"LSS.4 rsp, [ds:rax]:6", lss (%rax), %esp
	LINE	"LFS.8 rax, [ds:r9]:10", rex.W lfs (%r9), %eax
	LINE	"LGS.2 r8, [ds:rax]:4", lgs (%rax), %r8w
	LINE	"IN.1 $0x70", inb $0x70, %al
	LINE	"IN.4 $0xcf", inl $0xcf, %eax
	LINE	"IN.2 dx", inw %dx, %ax
	LINE	"IN.4 dx", inl %dx, %eax
	LINE	"OUT.1 $0xed", outb %al, $0xed
	LINE	"OUT.2 $0xed", outw %ax, $0xed
	LINE	"OUT.1 dx", outb %al, %dx
	LINE	"OUT.4 dx", outl %eax, %dx
	LINE	"INS.1 dx, [es:rdi]", insb
	LINE	"REP INS.2 dx, [es:rdi]", rep insw
	LINE	"REP INS.4 dx, [es:rdi]", rep insl
	LINE	"REP OUTS.2 dx, [ds:rsi]", rep outsw
	LINE	"OUTS.4 dx, [fs:rsi]", outsl %fs:(%rsi), %dx
	LINE	"REP OUTS.1 dx, [ds:rsi] a4", rep outsb (%esi), %dx
	LINE	"MOV.4 [ds:rax+0xb0], rcx", mov %ecx, 0xb0(%rax)
	LINE	"MOV.4 [ds:rip-0x123456], rax", mov %eax, -0x123456(%rip)
	LINE	"MOV.8 r9, [ds:r10+r11*8+0x7f]", mov 0x7f(%r10,%r11,8), %r9
	LINE	"MOV.2 [ds:-0x11fff50], rdx", mov %dx, 0xfffffffffee000b0
	LINE	"MOV.1 rsi, [ds:rbx]", mov (%rbx), %sil
	LINE	"MOV.1 dh, [ds:rbx]", mov (%rbx), %dh
	LINE	"MOV.1 [gs:rbp], r9", mov %r9b, %gs:(%rbp)
	LINE	"MOV.4 rax, [fs:rax*8] a4", mov %fs:(,%eax,8), %eax
	LINE	"MOV.4 rax, [ds:0x123456789abcdef]", movabs 0x123456789abcdef, %eax
	LINE	"MOV.1 [ds:0x123456789abcdef], rax", movabs %al, 0x123456789abcdef
	LINE	"MOV.8 rax, [gs:0x123456789abcdef]", movabs %gs:0x123456789abcdef, %rax
	LINE	"MOV.8 [ds:rax], $-0x12345678", movq $-0x12345678, (%rax)
	LINE	"MOV.4 [ds:rax+0x300], $0xc4500", movl $0xc4500, 0x300(%rax)
	LINE	"MOV.2 [ss:rsp+rbp*2], $0x7fff", movw $0x7fff, (%rsp,%rbp,2)
	LINE	"MOV.1 [ds:r15], $0x12", movb $0x12, (%r15)
	LINE	"MOV.8 [fs:rip+0x20], $0x1", movq $1, %fs:0x20(%rip)
	LINE	"MOVZX.4 rax, [ds:rcx]:1", movzbl (%rcx), %eax
	LINE	"MOVZX.8 r8, [ds:rcx]:2", movzwq (%rcx), %r8
	LINE	"MOVZX.4 rax, bh:1", movzbl %bh, %eax
	LINE	"MOVSX.8 rax, [ss:rbp+0x1]:1", movsbq 1(%rbp), %rax
	LINE	"MOVSX.4 r9, r10:2", movswl %r10w, %r9d
	LINE	"REP MOVS.8 [ds:rsi]", rep movsq
	LINE	"MOVS.1 [gs:rsi]", movsb %gs:(%rsi), %es:(%rdi)
	LINE	"REP STOS.4 [es:rdi]", rep stosl
	LINE	"STOS.2 [es:rdi] a4", stosw %ax, (%edi)
	LINE	"LODS.8 [ds:rsi]", lodsq
	LINE	"XCHG.4 [ds:rax+0x310], rcx", xchg %ecx, 0x310(%rax)
	LINE	"XCHG.1 [ds:rax], dh", xchg %dh, (%rax)
	LINE	"LOCK ADD.8 [gs:rax], rdx", lock add %rdx, %gs:(%rax)
	LINE	"ADD.1 rdx, [ds:r8]", add (%r8), %dl
	LINE	"ADD.4 [ds:rax], $0x12345678", addl $0x12345678, (%rax)
	LINE	"LOCK OR.8 [ds:rax], $0x40", lock orq $0x40, (%rax)
	LINE	"OR.4 r9, [ds:rbx]", or (%rbx), %r9d
	LINE	"ADC.2 [ds:rax], $-0x8000", adcw $-0x8000, (%rax)
	LINE	"SBB.1 [ds:rax], r15", sbb %r15b, (%rax)
	LINE	"AND.4 [ds:rip+0x1000], $-0x10001", andl $0xfffeffff, 0x1000(%rip)
	LINE	"AND.8 rax, [ss:rsp+0x88]", and 0x88(%rsp), %rax
	LINE	"SUB.4 [ds:rax], rsi", sub %esi, (%rax)
	LINE	"SUB.8 rsp, $0x28", sub $0x28, %rsp
	LINE	"XOR.4 rdx, rdx", xor %edx, %edx
	LINE	"XOR.1 [ds:rax], $0x1", xorb $1, (%rax)
	LINE	"CMP.4 [ds:rax], $-0x1", cmpl $-1, (%rax)
	LINE	"CMP.2 [ds:rax], $0x100", cmpw $0x100, (%rax)
	LINE	"CMP.8 rcx, [ds:rdx+rdx*1]", cmp (%rdx,%rdx), %rcx
	LINE	"TEST.4 [ds:rax], $0x1000", testl $0x1000, (%rax)
	LINE	"TEST.8 [ds:rdx], r11", test %r11, (%rdx)
	LINE	"TEST.1 [ss:rsp+0x20], $0x4", testb $4, 0x20(%rsp)
	LINE	"INC.4 [ds:rax]", incl (%rax)
	LINE	"LOCK DEC.8 [ds:r9]", lock decq (%r9)
	LINE	"DEC.1 [ds:rax]", decb (%rax)
	LINE	"NOT.2 [ds:rax]", notw (%rax)
	LINE	"LOCK NEG.1 [ds:rax]", lock negb (%rax)
	LINE	"BT.4 [ds:rax], $0x1f", btl $31, (%rax)
	LINE	"LOCK BTS.8 [ds:rax], $0x3f", lock btsq $63, (%rax)
	LINE	"BTR.2 [ds:rax], rcx", btr %cx, (%rax)
	LINE	"LOCK BTC.4 [ds:rax], r10", lock btc %r10d, (%rax)
	LINE	"NOP", nop
	LINE	"NOP", pause
	LINE	"NOP", xchg %ax, %ax
	LINE	"NOP", endbr64
	LINE	"NOP.4 [ds:rax]", nopl (%rax)
	LINE	"NOP.4 [ds:rax+rax*1+0x200]", nopl 0x200(%rax,%rax)
	LINE	"NOP.2 [ds:rax+rax*1+0x200]", nopw %cs:0x200(%rax,%rax)
	LINE	"NOP.8 rcx", nop %rcx
	LINE	"FENCE", lfence
	LINE	"FENCE", mfence
	LINE	"FENCE", sfence
	LINE	"JMP.8 .+0x0", jmp .+2
	LINE	"JMP.8 .+0x1000", jmp .+0x1005
	LINE	"JNZ.8 .+-0x2", jnz .
	LINE	"JNZ.8 .+0x1000", jnz .+0x1006
	LINE	"POP.8 rdi", pop %rdi
	LINE	"POP.8 r14", pop %r14

	MODE	32
	LINE	"PUSHF.4", pushfl
	LINE	"POPF.2", popfw
	LINE	"IRET.4", iretl
	LINE	"IRET.2", iretw
	LINE	"INTO", into
	LINE	"SYSEXIT.4", sysexit
	LINE	"CALL_FAR.4 0x23:0x12345678", lcall $0x23, $0x12345678
	LINE	"JMP_FAR.2 0x33:0x1234", ljmpw $0x33, $0x1234
	LINE	"CALL_FAR.4 [ss:rsp+0x4]:6", lcall *4(%esp)
	LINE	"RET_FAR.4 $0x8", lretl $8
	LINE	"MOV_FROM_CR.4 rdi, cr3", mov %cr3, %edi
	LINE	"MOV_TO_CR.4 cr4, rax", mov %eax, %cr4
	LINE	"MOV_TO_DR.4 dr7, rax", mov %eax, %db7
	LINE	"LGDT.4 [ds:0x12345]:6", lgdtl 0x12345
	LINE	"SGDT.2 [ds:rax]:6", sgdtw (%eax)
	LINE	"SLDT.4 rax", sldt %eax
	LINE	"INVLPG [ds:rax]", invlpg (%eax)
	LINE	"INVPCID.4 rcx, [ds:rax]:16", invpcid (%eax), %ecx
	LINE	"MONITOR [ds:rax] a2", monitor %ax, %ecx, %edx
	LINE	"PUSH_SREG.4 cs", push %cs
	LINE	"POP_SREG.4 es", pop %es
	LINE	"LES.4 rax, [ds:rbx+rsi*1]:6", les (%ebx,%esi), %eax
	LINE	"LDS.2 rax, [ds:rbx]:4", lds (%ebx), %ax
	LINE	"LSS.4 rsp, [ss:rbp-0x6]:6", lss -6(%ebp), %esp
	LINE	"IN.4 dx", inl %dx, %eax
	LINE	"REP OUTS.4 dx, [es:rsi]", rep outsl %es:(%esi), %dx
	LINE	"MOV.4 rax, [ds:0xfee00020]", mov 0xfee00020, %eax
	LINE	"MOV.4 rcx, [ds:-0x11fffe0]", mov 0xfee00020, %ecx
	LINE	"MOV.1 [ss:rbp+rdi*1+0x10], ch a2", .byte 0x67, 0x88, 0x6b, 0x10
	LINE	"MOV.4 [cs:rax+rax*4], $0x5", movl $5, %cs:(%eax,%eax,4)
	LINE	"XCHG.4 [ds:rax], rcx", xchg %ecx, (%eax)
	LINE	"LOCK ADD.4 [ds:rax], $0x1", lock addl $1, (%eax)
	LINE	"REP MOVS.2 [ds:rsi]", rep movsw
	LINE	"POP.4 rbx", pop %ebx
	LINE	"JMP.4 .+0x1000", jmp .+0x1005

	MODE	16
	LINE	"PUSHF.2", pushfw
	LINE	"PUSHF.4", pushfl
	LINE	"IRET.2", iretw
	LINE	"JMP_FAR.2 0xf000:0xfff0", ljmpw $0xf000, $0xfff0
	LINE	"JMP_FAR.4 0x10:0x12345678", ljmpl $0x10, $0x12345678
	LINE	"RET_FAR.2", lretw
	LINE	"LGDT.2 [ds:0x1234]:6", lgdtw 0x1234
	LINE	"LIDT.4 [ds:0x1234]:6", lidtl 0x1234
	LINE	"MOV_FROM_CR.4 rax, cr0", mov %cr0, %eax
	LINE	"LMSW.2 rax", lmsw %ax
	LINE	"MOV_TO_SREG.2 ds, rax", mov %ax, %ds
	LINE	"POP_SREG.2 ds", pop %ds
	LINE	"MOV.2 rax, [ds:rbx+rdi*1]", mov (%bx,%di), %ax
	LINE	"MOV.4 rax, [ss:rbp+0x100]", mov 0x100(%bp), %eax
	LINE	"MOV.2 [ds:rsi-0x1], $0x1234", movw $0x1234, -1(%si)
	LINE	"MOV.4 [ds:rax+rcx*2], $0x1 a4", .byte 0x67, 0x66, 0xc7, 0x04, 0x48, 1, 0, 0, 0
	LINE	"REP INS.4 dx, [es:rdi]", rep insl
	LINE	"OUT.2 dx", outw %ax, %dx
	LINE	"LSS.2 rsp, [ss:rbp+rsi*1]:4", lss (%bp,%si), %sp
	LINE	"ADD.1 [ds:rbx+rsi*1], rax", add %al, (%bx,%si)
	LINE	"JMP.2 .+-0x2", jmp .

	.section .data.rel.ro.decode_lines, "aw"
	.globl	decode_lines_end
decode_lines_end:
	.code64
	.section .note.GNU-stack, "", @progbits
