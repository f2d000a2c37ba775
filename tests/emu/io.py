# SPDX-License-Identifier: MIT
"""The layer of I/O: PIT, clock and serial port of a virtualized guest by models that come and go while it runs."""
import images
from bochs import Bochs
from guest import finish_mini, output_of, run_linux
from qemu import Qemu
from registry import add, test


def mini(emulator, line, opts, hypervisor, seconds):
    def run(t):
        image = images.vellum(("mini", line), opts=opts, hypervisor=hypervisor)
        # The clock by the machine's own time, as the timer; by default QEMU's is the host's.
        m = Qemu(t, image, icount=True, extra=["-rtc", "clock=vm"]) if emulator == "qemu" else Bochs(t, image)
        finish_mini(t, m, seconds)
    return run


def declare(name, line, shows, doc, seconds, opts="", hypervisor="vellum"):
    """A run of the mini guest in each emulator."""
    for emulator in ("qemu", "bochs"):
        add(mini(emulator, line, opts, hypervisor, seconds), f"{name}-{emulator}", shows=shows,
            needs=f"{hypervisor} mini", limit=seconds + 20, doc=f"{doc} ({emulator})")


declare("io-all", "virtualized io", "I8 I10",
        "Each test of the mini guest, whose console, ticks and measure of time are the modelled devices, passes with the "
        "layer of I/O on.", 400)
declare("io-debug", "virtualized io test=io*,timer*,pic*,failpoints,transition*", "I8 I10",
        "On a debug build, which uses the devices itself after each access of the guest's, the guest does not notice; "
        "each step of taking the layer on and off fails once.", 300, hypervisor="vellum-debug")
declare("io-layer", "test=io*", "I8 I10 I3",
        "Under 1,000 switches of the layer of I/O registers, counts and latches of PIT, clock and serial port go on as they "
        "are, and no tick, second or byte is lost or doubled.", 300)


def linux(t, seconds, rounds, icount=False, **kw):
    m = run_linux(t, ["switch-io"], seconds=seconds, icount=icount, **kw)
    lines = output_of(m, "switch-io")
    t.equal(lines[-1], f"ok: {rounds} rounds", "the guest's verdict")
    numbers = [line for line in lines if line.startswith("line ")]
    t.equal(numbers, [f"line {n}" for n in range(2 * rounds)], "what came over the serial port")
    t.log("\n".join(line for line in lines if "looks" in line or "ticks" in line or "hwclock" in line))


@test("io-linux", shows="I8 I10", needs="vellum min initrd-test", limit=320)
def io_linux(t):
    """`vl virtualize --io` and `vl devirtualize --io` 40 times under the small Linux with its console on the serial
    port, while a process with leave for the ports compares timer and clock with the kernel's time."""
    linux(t, 300, 40, cmdline="cycles=40", memory=256)


@test("io-linux-ticks", shows="I8 I3", needs="vellum min initrd-test", limit=420)
def io_linux_ticks(t):
    """The same on a Linux that ticks by the interval timer through the 8259s: none of its 100 ticks a second is lost
    or doubled. Instructions are counted, so that emulated time does not depend on the host."""
    linux(t, 400, 20, icount=True, cmdline="cycles=20 ticks nolapic nohz=off highres=off", memory=256)
