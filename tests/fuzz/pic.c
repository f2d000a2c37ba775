// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the 8259 pair's ports: a guest may write anything anywhere, and
 * the lines move as they like. First the model alone, then the same program
 * through pic_hardware.c with a model as the hardware, which a guest must not
 * be able to wedge: once it initialises the chips, an interrupt arrives again.
 */
#include "tests/fuzz/damage.h"

#include <string.h>

#include "irq/pic_hardware.h"

static const u16 port_of[] = {PIC_MASTER,    PIC_MASTER + 1, PIC_SLAVE,
			      PIC_SLAVE + 1, PIC_ELCR,       PIC_ELCR + 1};

static void check_chip(const struct pic_chip *c)
{
	must(c->lowest < PIC_LINES_A_CHIP);
	must((c->edge & ~c->line) == 0);
	must(c->next_icw <= 4 && c->next_icw != 1);
	must((c->vector & 7) == 0);
	must(pic_request(c) < PIC_LINES_A_CHIP);
}

static void check_vector(const struct pic *p, int vector)
{
	must((vector & 0xf8) == p->chip[0].vector || (vector & 0xf8) == p->chip[1].vector);
}

static void fuzz_model(const u8 *data, size_t size)
{
	struct pic p;

	pic_reset(&p);
	for (size_t i = 0; i + 1 < size; i += 2) {
		u8 what = data[i], value = data[i + 1];

		if (what < 96)
			pic_write(&p, port_of[what % 6], value);
		else if (what < 160)
			pic_read(&p, port_of[what % 6]);
		else if (what < 208)
			pic_set_line(&p, value % 32, value & 0x80);
		else
			check_vector(&p, pic_acknowledge(&p));
		check_chip(&p.chip[0]);
		check_chip(&p.chip[1]);
	}
}

static u8 hardware_in(void *context, u16 port)
{
	return pic_read(context, port);
}

static void hardware_out(void *context, u16 port, u8 value)
{
	pic_write(context, port, value);
}

/* Interrupts that the CPU takes until the hardware is quiet; with automatic EOI it need not be. */
static void run(struct pic *hardware, struct pic_hardware *p)
{
	for (int i = 0; i < 64 && pic_output(hardware); i++)
		pic_hardware_arrived(p, pic_acknowledge(hardware));
}

static void check_step(const struct pic *hardware, const struct pic_hardware *p)
{
	for (u32 n = 0; n < 2; n++) {
		check_chip(&p->model.chip[n]);
		must(hardware->chip[n].imr == p->model.chip[n].imr);
		must(hardware->chip[n].elcr == p->model.chip[n].elcr);
		must(hardware->chip[n].next_icw == p->model.chip[n].next_icw);
	}
}

static void start_chip(struct pic_hardware *p, u16 port, u8 vector, u8 cascade)
{
	pic_hardware_write(p, port, 0x11);
	pic_hardware_write(p, port + 1, vector);
	pic_hardware_write(p, port + 1, cascade);
	pic_hardware_write(p, port + 1, 0x01);
}

static void check_alive(struct pic *hardware, struct pic_hardware *p, u8 line)
{
	start_chip(p, PIC_MASTER, 0x30, 1 << PIC_CASCADE);
	start_chip(p, PIC_SLAVE, 0x38, PIC_CASCADE);
	pic_hardware_write(p, PIC_ELCR, 0);
	pic_hardware_write(p, PIC_ELCR + 1, 0);
	for (u8 i = 0; i < NR_PIC_LINES; i++)
		pic_set_line(hardware, i, false);
	pic_set_line(hardware, line, true);
	must(pic_output(hardware));
	must(pic_hardware_arrived(p, pic_acknowledge(hardware)));
	must(pic_hardware_take(p) == 0x30 + line);
	must(pic_hardware_can_leave(p));
}

static void fuzz_hardware(const u8 *data, size_t size)
{
	struct pic hardware;
	struct pic_hardware p = {0};
	const struct port_access access = {hardware_in, hardware_out, &hardware};

	pic_reset(&hardware);
	pic_hardware_enter(&p, &access);
	for (size_t i = 0; i + 1 < size; i += 2) {
		u8 what = data[i], value = data[i + 1];

		if (what < 96)
			pic_hardware_write(&p, port_of[what % 6], value);
		else if (what < 160)
			pic_hardware_read(&p, port_of[what % 6]);
		else if (what < 208)
			pic_set_line(&hardware, value % 32, value & 0x80);
		else if (what < 224)
			pic_hardware_arrived(&p, value); /* one of the APIC's */
		else if (what < 240)
			pic_hardware_hold(&p);
		else
			pic_hardware_take(&p);
		run(&hardware, &p);
		check_step(&hardware, &p);
	}
	if (size > 0 && data[0] % NR_PIC_LINES != PIC_CASCADE)
		check_alive(&hardware, &p, data[0] % NR_PIC_LINES);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	fuzz_model(data, size);
	fuzz_hardware(data, size);
	return 0;
}
