"""A path that forgets: two network namespaces, and a router between them that drops what it does not know.

``python -m tests.proxy.nat`` plays one of the two sides; ``Router`` stands between them.
"""

import array
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
CLIENT, PROVIDER = "10.99.0.1", "10.99.0.2"
# The provider's ports: flows to the one are kept while packets pass, flows to the other never.
KEPT, FORGOTTEN = 8000, 8001
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000
_SYN, _ACK = 0x02, 0x10


class Router:
    """Passes TCP packets between the two sides; a flow is forgotten ``seconds`` after its last packet."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._flows: dict[tuple[int, int], float] = {}
        self._ends: list[int] = []
        self._sides: list[subprocess.Popen[bytes]] = []
        self.dropped = 0

    def side(self, address: str, *command: str, **env: str) -> "subprocess.Popen[bytes]":
        """Run a command in a namespace of its own that has ``address``."""
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [
                "unshare",
                "--net",
                sys.executable,
                "-m",
                "tests.proxy.nat",
                str(theirs.fileno()),
                address,
                *command,
            ],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env=os.environ | env,
            stdout=subprocess.PIPE,
        )
        theirs.close()
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        ours.close()
        self._ends.append(array.array("i", ancillary[0][2])[0])
        self._sides.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sides:
            each.kill()
            each.communicate()

    def start(self) -> None:
        """Pass packets from now on."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            for end in select.select(self._ends, [], [])[0]:
                packet = os.read(end, 65536)
                if self._knows(packet):
                    os.write(self._ends[1 - self._ends.index(end)], packet)

    def _knows(self, packet: bytes) -> bool:
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return False
        start = (packet[0] & 15) * 4
        ports = struct.unpack_from("!HH", packet, start)
        flow = (min(ports), max(ports))
        now = time.monotonic()
        if packet[start + 13] & (_SYN | _ACK) == _SYN:
            self._flows[flow] = now
        elif now - self._flows.get(flow, 0.0) > self._seconds:
            self.dropped += 1
            return False
        elif FORGOTTEN not in flow:
            self._flows[flow] = now
        return True


def _open_tunnel(address: str) -> int:
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tunnel, _TUNSETIFF, struct.pack("16sH", b"tun0", _IFF_TUN | _IFF_NO_PI))
    for words in ("link set lo up", f"addr add {address}/24 dev tun0", "link set tun0 up"):
        subprocess.run(["ip", *words.split()], check=True)
    return tunnel


def _serve(seconds: float) -> None:
    """Answer each call after so long."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(seconds)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def accept(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    listeners = [socket.create_server((PROVIDER, port)) for port in (KEPT, FORGOTTEN)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for each in listeners[1:]:
        threading.Thread(target=accept, args=(each,), daemon=True).start()
    accept(listeners[0])


def main() -> None:
    """Hand the tunnel to the router, and run the command."""
    handle, address, *command = sys.argv[1:]
    with socket.socket(fileno=int(handle)) as router:
        tunnel = array.array("i", [_open_tunnel(address)])
        router.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, tunnel)])
    if command[0] == "serve":
        _serve(float(command[1]))
    os.execvp(command[0], command)  # noqa: S606 - it takes this process's place


if __name__ == "__main__":
    main()
