// SPDX-License-Identifier: MIT
/*
 * Loads a page that halts as another kernel, and asks this one to start it, as kexec -e does.
 * Prints the error of that; there is no way back if there is none.
 */
#include <errno.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE  4096ul
#define PLACE 0x1000000ul /* a physical address in RAM */

int main(void)
{
	static const unsigned char halt[PAGE] = {0xfa, 0xf4, 0xeb, 0xfd};
	struct kexec_segment segment = {
		.buf = halt, .bufsz = PAGE, .mem = (void *)PLACE, .memsz = PAGE};
	int error;

	if (syscall(SYS_kexec_load, PLACE, 1ul, &segment, (unsigned long)KEXEC_ARCH_DEFAULT) != 0) {
		printf("not loaded: %s\n", strerror(errno));
		return 1;
	}
	error = syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_KEXEC, NULL) == 0
			? 0
			: errno;
	syscall(SYS_kexec_load, 0ul, 0ul, NULL, (unsigned long)KEXEC_ARCH_DEFAULT);
	printf("%s\n", strerror(error));
	return 0;
}
