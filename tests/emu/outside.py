# SPDX-License-Identifier: MIT
"""Later guests of several kinds on one switch with the outside, each with a part of the machine's disk."""
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import lwip
import parts
from guest import finish_linux, linux_image, output_of
from machine import plain
from qemu import Qemu
from registry import Failure, test

PARTITIONS = {1: (2048, 32768), 2: (34816, 32768), 3: (67584, 4096)}
ECHO_OF = {1: 7001, 2: 7002}  # ports of QEMU's own, for ports 7 and 9 of the Linux guests
END_OF = {1: 9001, 2: 9002}
LINES = 1000


def network():
    """Ways to the guest with lwIP and to those with Linux, each by a port of the host's own choosing."""
    rules = {lwip.ECHO: ("10.0.2.15", 7), lwip.HTTP: ("10.0.2.15", 80), lwip.STREAM: ("10.0.2.15", 4000)}
    for number in ECHO_OF:
        rules[ECHO_OF[number]] = (f"10.0.2.3{number}", 7)
        rules[END_OF[number]] = (f"10.0.2.3{number}", 9)
    ports = {name: lwip.free_port() for name in rules}
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{ports[name]}-{address}:{port}" for name, (address, port) in rules.items())
    return ports, ["-netdev", f"user,id=net,restrict=on{forward}", "-device", "e1000,netdev=net"]


class Echo:
    """A connection whose other side sends back what comes, for as long as it takes: numbered lines, a few under way. This side
    ends when all is back."""

    def __init__(self, port):
        self._socket = lwip.connect(port, 60)
        self._sent = self.back = 0
        self.longest = 0.0  # seconds of the host's without an answer

    def go_on(self, lines):
        """So many more there and back."""
        end, last = self.back + lines, time.monotonic()
        while self.back < end:
            while self._sent < min(self.back + 40, end):
                self._socket.sendall(b"%099d\n" % self._sent)
                self._sent += 1
            line = lwip.read_all(self._socket, 100)
            if line != b"%099d\n" % self.back:
                raise Failure(f"line {self.back} came back as {line!r}")
            self.back += 1
            self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()

    def finish(self):
        self._socket.shutdown(socket.SHUT_WR)
        if self._socket.recv(1):
            raise Failure("more comes back than was sent")
        self._socket.close()


def echo(port):
    e = Echo(port)
    e.go_on(LINES)
    e.finish()


def talk_to_all(t, ports):
    """With all three at once, while they talk to each other."""
    stream = lwip.Stream(ports[lwip.STREAM])
    with ThreadPoolExecutor(4) as all_at_once:
        for done in [all_at_once.submit(echo, ports[port]) for port in (lwip.ECHO, ECHO_OF[1], ECHO_OF[2])]:
            done.result()
    stream.wait(1500, 200)
    stream.finish()
    t.log(f"stream with the lwIP guest: {stream.sent} blocks there, {stream.got} back")


def tell_all(t, ports):
    """The Linux guests, to go on with what comes next."""
    for number in END_OF:
        with lwip.connect(ports[END_OF[number]]) as s:
            t.equal(s.recv(1), b"", f"what guest {number} says to that")


@test("guests-outside", shows="I7 I8 I10 U2 U3 U6", needs="vellum min initrd-guests", limit=500)
def guests_outside(t):
    """Two later Linux guests and one with lwIP, by the uplink and the disk of the machine, which the first Linux gave to Vellum: all
    the while they talk to each other and write to their disks, and the outside talks to each; then the first Linux has both devices again, and finds
    what they wrote."""
    ports, card = network()
    disk = parts.make(t, PARTITIONS)
    m = Qemu(t, linux_image(["guests-outside"], initrd="initrd-guests"), memory=512,
             extra=card + ["-drive", f"if=ide,index=1,format=raw,file={disk}"])
    m.expect(r"^outside: all three are there", 240)
    talk_to_all(t, ports)
    tell_all(t, ports)
    m.expect(r"^outside: both Linux guests are through", 200)
    tell_all(t, ports)
    t.equal(lwip.page(ports[lwip.HTTP], "/end")[0], 200, "status of the last page")
    finish_linux(t, m, ["guests-outside"], 200)
    lines = output_of(m, "guests-outside")
    t.log("\n".join(line for line in lines if line.startswith(("outside: ", "lwip: "))))
    t.equal(lines[-1], "ok: each with each", "the guest's verdict")
    for number in ECHO_OF:
        parts.check_file_system(t, disk, PARTITIONS[number])


@test("handover-linux-devices", shows="M19 I7 I8 U2", needs="vellum min initrd-guests", limit=500, slow=True)
def handover_linux_devices(t):
    """A later Linux with a TCP connection to the outside and a file system on the machine's disk, both by Vellum's drivers, gets the
    machine by force: it finds the e1000 and the disk themselves, its own drivers take them, and the connection goes on, and so
    does the file system."""
    ports, card = network()
    disk = parts.make(t, PARTITIONS)
    m = Qemu(t, linux_image(["handover-devices"], initrd="initrd-guests"), memory=512,
             extra=card + ["-drive", f"if=ide,index=1,format=raw,file={disk}"])
    m.expect(r"^outside: the heir is there", 240)
    echo = Echo(ports[ECHO_OF[1]])
    echo.go_on(2000)
    lwip.connect(ports[END_OF[1]]).close()
    m.expect(r"^the first guest goes", 100)
    echo.longest = 0
    echo.go_on(2000)
    m.expect(r"^heir: passthrough", 200)
    m.expect(r"^heir: card e1000", 60)
    echo.go_on(2000)
    t.log(f"{echo.back} lines of 100 bytes there and back, longest wait {echo.longest:.1f} s of the host's")
    m.expect(r"^heir: disk ata_piix", 100)
    echo.go_on(2000)
    echo.finish()
    lwip.connect(ports[END_OF[1]]).close()
    m.expect(r"^heir: (done|not ok)", 100)
    m.no_panic()
    t.check("heir: done" in plain(m.console.text), f"the heir's verdict: {plain(m.console.text)[-400:]}")
    t.equal(m.wait(60), "reset", "it restarts the machine")
    parts.check_file_system(t, disk, PARTITIONS[1])
