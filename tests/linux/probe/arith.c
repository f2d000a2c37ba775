// SPDX-License-Identifier: MIT
/*
 * Exceptions of arithmetic: integer division, overflow and bound in 32-bit code, and x87 and SSE
 * exceptions with the si_code that the kernel derives from the status it reads.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

struct form {
	const char *name;
	const char *hex;
};

static void run_forms(const struct form *forms, size_t count, unsigned cs)
{
	for (size_t i = 0; i < count; i++) {
		struct event ev;
		struct shot s;
		char text[200];
		size_t end = code_hex(forms[i].hex);

		data_clear();
		shot_init(&s);
		shot_cs_ss(&s, cs, USER_DS);
		s.g[REG_RAX] = (greg_t)0x8000000000000000;
		s.g[REG_RDX] = -1;
		shot_run(&s, &ev);
		out("%s: %s mxcsr=%x sw=%x", forms[i].name, event_text(&ev, end, text), ev.mxcsr,
		    ev.x87_status);
	}
}

void subject_arith(void)
{
	static const struct form forms64[] = {
		{"div zero", "31 c9 f7 f1"},
		{"idiv zero", "31 c9 48 f7 f9"},
		{"div overflow", "b9 01 00 00 00 f7 f1"},
		{"idiv min/-1", "48 c7 c1 ff ff ff ff 48 f7 f9"},
		{"div mem", "f7 33"},
		{"div8", "31 c9 f6 f1"},
	};
	static const struct form forms32[] = {
		{"into", "b8 ff ff ff 7f 83 c0 01 ce"},
		{"into without OF", "31 c0 ce"},
		{"bound", "b8 05 00 00 00 62 03"},
		{"bound ok", "31 c0 62 03"},
		{"aam 0", "d4 00"},
		{"aaa", "37"},
		{"salc", "d6"},
		{"arpl", "b8 30 00 00 00 b9 03 00 00 00 63 c8"},
		{"lar 33", "b9 33 00 00 00 0f 02 c1"},
		{"pushf", "9c 58"},
		{"popf iopl", "68 02 32 00 00 9d 9c 58"},
		{"push cs", "0e 58"},
		{"push ss", "16 58"},
		{"sti", "fb"},
		{"in", "ec"},
		{"mov cr0", "0f 20 c0"},
		{"pusha/popa", "60 61"},
		{"82 group", "82 c0 01"},
		{"lcall imm 33", "ea 00 01 00 10 33 00"},
	};

	run_forms(forms64, sizeof(forms64) / sizeof(forms64[0]), USER_CS);
	out("32-bit code");
	run_forms(forms32, sizeof(forms32) / sizeof(forms32[0]), USER32_CS);
}

/* The control word is pushed and loaded, the operation follows, fwait raises what is pending. */
void subject_fpuexc(void)
{
	static const struct form x87[] = {
		{"x87 zero divide", "68 7b 03 00 00 d9 2c 24 d9 e8 d9 ee de f9 9b"},
		{"x87 invalid", "68 7e 03 00 00 d9 2c 24 d9 ee d9 ee de f9 9b"},
		{"x87 sqrt -1", "68 7e 03 00 00 d9 2c 24 d9 e8 d9 e0 d9 fa 9b"},
		{"x87 stack", "68 7e 03 00 00 d9 2c 24 dd d8 9b"},
		{"x87 inexact", "68 5f 03 00 00 d9 2c 24 d9 e8 d9 eb de f9 9b"},
		{"x87 overflow",
		 "68 77 03 00 00 d9 2c 24 d9 eb d9 e8 c7 03 ff 7f 00 00 df 03 d9 c9 "
		 "d9 fd d9 fd dd 1b 9b"},
		{"x87 pending at fld", "68 7b 03 00 00 d9 2c 24 d9 e8 d9 ee de f9 90 d9 e8"},
		{"x87 pending no wait", "68 7b 03 00 00 d9 2c 24 d9 e8 d9 ee de f9 db e2"},
		{"mmx after pending", "68 7b 03 00 00 d9 2c 24 d9 e8 d9 ee de f9 0f 77"},
		{"x87 masked", "d9 e8 d9 ee de f9 9b"},
	};
	static const struct form sse[] = {
		{"sse zero divide",
		 "68 80 1d 00 00 0f ae 14 24 0f 57 c0 b8 01 00 00 00 f3 0f 2a c8 "
		 "f3 0f 5e c8"},
		{"sse invalid", "68 00 1f 00 00 0f ae 14 24 0f 57 c0 f3 0f 5e c0"},
		{"sse sqrt -1",
		 "68 00 1f 00 00 0f ae 14 24 b8 ff ff ff ff f3 0f 2a c8 f3 0f 51 c9"},
		{"sse denormal",
		 "68 80 1e 00 00 0f ae 14 24 b8 01 00 00 00 66 0f 6e c8 f3 0f 58 c9"},
		{"sse overflow",
		 "68 80 1b 00 00 0f ae 14 24 b8 ff ff 7f 7f 66 0f 6e c8 f3 0f 59 c9"},
		{"sse underflow",
		 "68 80 17 00 00 0f ae 14 24 b8 00 00 80 00 66 0f 6e c8 f3 0f 59 c9"},
		{"sse inexact",
		 "68 80 0f 00 00 0f ae 14 24 b8 01 00 00 00 f3 0f 2a c0 b8 03 00 00 00 "
		 "f3 0f 2a c8 f3 0f 5e c1"},
		{"sse two at once",
		 "68 00 00 00 00 0f ae 14 24 b8 ff ff 7f 7f 66 0f 6e c8 f3 0f 59 c9"},
		{"sse masked", "0f 57 c0 f3 0f 5e c0"},
		{"sse flag then unmask",
		 "0f 57 c0 f3 0f 5e c0 68 01 1f 00 00 0f ae 14 24 0f 57 c0"},
	};

	run_forms(x87, sizeof(x87) / sizeof(x87[0]), USER_CS);
	run_forms(sse, sizeof(sse) / sizeof(sse[0]), USER_CS);
	out("32-bit code");
	run_forms(x87, 1, USER32_CS);
	run_forms(sse, 1, USER32_CS);
}
