// SPDX-License-Identifier: MIT
/*
 * The serial port's model: registers, both FIFOs, the order of its interrupts,
 * loopback, capture and restore.
 */
#include "tests/unit/check.h"

#include "irq/uart16550.h"

static struct uart16550 ready(u8 ier, u8 fcr)
{
	struct uart16550 u;

	uart16550_reset(&u);
	uart16550_write(&u, UART_LCR, 0x83);
	uart16550_write(&u, UART_DATA, 0x0c);
	uart16550_write(&u, UART_IER, 0x01);
	uart16550_write(&u, UART_LCR, 0x03);
	uart16550_write(&u, UART_FCR, fcr);
	uart16550_write(&u, UART_MCR, 0x0b);
	uart16550_read(&u, UART_MSR);
	uart16550_write(&u, UART_IER, ier);
	return u;
}

static u8 iir(struct uart16550 *u)
{
	return uart16550_read(u, UART_IIR) & 0x0f;
}

static void test_registers(void **state)
{
	struct uart16550 u = ready(0, 0);

	(void)state;
	uart16550_write(&u, UART_LCR, 0x83);
	assert_int_equal(uart16550_read(&u, UART_DATA), 0x0c);
	assert_int_equal(uart16550_read(&u, UART_IER), 0x01);
	uart16550_write(&u, UART_LCR, 0x03);
	assert_int_equal(uart16550_read(&u, UART_LCR), 0x03);
	uart16550_write(&u, UART_IER, 0xff);
	assert_int_equal(uart16550_read(&u, UART_IER), 0x0f);
	uart16550_write(&u, UART_MCR, 0xef);
	assert_int_equal(uart16550_read(&u, UART_MCR), 0x0f);
	uart16550_write(&u, UART_SCRATCH, 0xa5);
	assert_int_equal(uart16550_read(&u, UART_SCRATCH), 0xa5);
	uart16550_write(&u, UART_LSR, 0);
	assert_int_equal(uart16550_read(&u, UART_LSR), UART_LSR_SENDER);
	assert_int_equal(uart16550_read(&u, UART_IIR) & UART_IIR_FIFO, 0);
	uart16550_write(&u, UART_FCR, 0x01);
	assert_int_equal(uart16550_read(&u, UART_IIR) & UART_IIR_FIFO, UART_IIR_FIFO);
}

static void test_send(void **state)
{
	struct uart16550 u = ready(UART_IER_SEND, 0x01);

	(void)state;
	assert_true(uart16550_line(&u)); /* empty when it is switched on */
	assert_int_equal(iir(&u), UART_IIR_SEND);
	assert_int_equal(iir(&u), UART_IIR_NONE); /* told */
	for (u8 i = 0; i < UART_FIFO_SIZE; i++)
		uart16550_write(&u, UART_DATA, 'a' + i);
	assert_int_equal(uart16550_read(&u, UART_LSR), 0);
	for (u8 i = 0; i < UART_FIFO_SIZE; i++) {
		assert_false(uart16550_line(&u));
		assert_int_equal(uart16550_take(&u), 'a' + i);
	}
	assert_int_equal(uart16550_take(&u), UART_NO_BYTE);
	assert_int_equal(uart16550_read(&u, UART_LSR), UART_LSR_SENDER);
	assert_true(uart16550_line(&u));
	uart16550_write(&u, UART_IER, 0);
	assert_false(uart16550_line(&u));
	uart16550_write(&u, UART_IER, UART_IER_SEND); /* tells again, as drivers probe for */
	assert_int_equal(iir(&u), UART_IIR_SEND);
	uart16550_write(&u, UART_DATA, 'x');
	uart16550_write(&u, UART_FCR, 0x05);
	assert_int_equal(uart16550_take(&u), UART_NO_BYTE);
}

static void test_receive(void **state)
{
	struct uart16550 u = ready(UART_IER_RECEIVE | UART_IER_LINE, 0x81); /* 8 bytes */

	(void)state;
	uart16550_give(&u, 'A');
	assert_int_equal(iir(&u), UART_IIR_TIMEOUT);
	for (u8 i = 1; i < 8; i++)
		uart16550_give(&u, 'A' + i);
	assert_int_equal(iir(&u), UART_IIR_RECEIVE);
	assert_int_equal(uart16550_room(&u), 8);
	for (u8 i = 8; i < 17; i++)
		uart16550_give(&u, 'A' + i);
	assert_int_equal(uart16550_room(&u), 0);
	assert_int_equal(iir(&u), UART_IIR_LINE); /* the last one was lost */
	assert_int_equal(uart16550_read(&u, UART_LSR),
			 UART_LSR_SENDER | UART_LSR_READY | UART_LSR_OVERRUN);
	assert_int_equal(iir(&u), UART_IIR_RECEIVE);
	for (u8 i = 0; i < 16; i++)
		assert_int_equal(uart16550_read(&u, UART_DATA), 'A' + i);
	assert_int_equal(uart16550_read(&u, UART_LSR), UART_LSR_SENDER);
	assert_false(uart16550_line(&u));
	/* without FIFO the newer one wins */
	uart16550_write(&u, UART_FCR, 0);
	uart16550_give(&u, '1');
	uart16550_give(&u, '2');
	assert_int_equal(uart16550_read(&u, UART_LSR) & UART_LSR_OVERRUN, UART_LSR_OVERRUN);
	assert_int_equal(uart16550_read(&u, UART_DATA), '2');
	uart16550_write(&u, UART_LCR, 0x02); /* seven bits */
	uart16550_give(&u, 0xff);
	assert_int_equal(uart16550_read(&u, UART_DATA), 0x7f);
}

static void test_order_and_out2(void **state)
{
	struct uart16550 u = ready(0x0f, 0x01);

	(void)state;
	uart16550_give(&u, 'A');
	uart16550_write(&u, UART_MCR, UART_MCR_LOOP); /* the modem's lines fall */
	assert_false(uart16550_line(&u));             /* no OUT2 */
	uart16550_write(&u, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	assert_true(uart16550_line(&u));
	assert_int_equal(iir(&u), UART_IIR_RECEIVE);
	uart16550_read(&u, UART_DATA);
	assert_int_equal(iir(&u), UART_IIR_SEND);
	assert_int_equal(iir(&u), UART_IIR_MODEM);
	assert_int_equal(uart16550_read(&u, UART_MSR), 0x80 | 0x0b);
	assert_int_equal(iir(&u), UART_IIR_NONE);
	uart16550_write(&u, UART_MCR, UART_MCR_LOOP | 0x0f);
	assert_int_equal(uart16550_read(&u, UART_MSR), 0xf0 | 0x03);
	uart16550_write(&u, UART_DATA, 'L'); /* comes back */
	assert_int_equal(uart16550_take(&u), UART_NO_BYTE);
	assert_int_equal(uart16550_read(&u, UART_DATA), 'L');
	uart16550_give(&u, 'x'); /* nobody hears it */
	assert_int_equal(uart16550_read(&u, UART_LSR), UART_LSR_SENDER);
}

static u8 real_in(void *context, u16 port)
{
	return uart16550_read(context, (u8)(port - 0x3f8));
}

static void real_out(void *context, u16 port, u8 value)
{
	uart16550_write(context, (u8)(port - 0x3f8), value);
}

static void test_capture_restore(void **state)
{
	struct uart16550 real = ready(0x05, 0xc1), u;
	const struct port_access h = {real_in, real_out, &real};

	(void)state;
	uart16550_write(&real, UART_SCRATCH, 0x77);
	for (u8 i = 0; i < 5; i++)
		uart16550_give(&real, '0' + i);
	uart16550_capture(&u, &h, 0x3f8, 0xc1);
	assert_int_equal(u.divisor, 0x10c);
	assert_int_equal(u.lcr, 0x03);
	assert_int_equal(u.ier, 0x05);
	assert_int_equal(u.fcr, 0xc1);
	assert_int_equal(u.mcr, 0x0b);
	uart16550_reset(&real);
	assert_true(uart16550_restore(&u, &h, 0x3f8));
	for (u8 i = 0; i < 5; i++)
		assert_int_equal(uart16550_read(&real, UART_DATA), '0' + i);
	assert_int_equal(uart16550_read(&real, UART_LSR), UART_LSR_SENDER);
	u.out.count = 1;
	assert_false(uart16550_restore(&u, &h, 0x3f8));
	assert_int_equal(real.divisor, 0x10c);
	assert_int_equal(real.lcr, 0x03);
	assert_int_equal(real.ier, 0x05);
	assert_int_equal(real.fcr, 0xc1);
	assert_int_equal(real.mcr, 0x0b);
	assert_int_equal(real.scratch, 0x77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),       cmocka_unit_test(test_send),
		cmocka_unit_test(test_receive),         cmocka_unit_test(test_order_and_out2),
		cmocka_unit_test(test_capture_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
