"""Ways a marker line can go: tcp://, udp://, unix://, file://."""

import collections
import os
import re
import socket
import time
from urllib.parse import unquote, urlsplit

from . import lines
from .link import Link, MemoryQueue

DATAGRAM_LIMIT = 1400
REPEATS = 3


class TcpSink:
    """Acknowledged delivery by a background thread. Survives a receiver that is away, up to the queue's length."""

    def __init__(self, host, port, token=None, limit=4096):
        self.queue = MemoryQueue(limit)
        self.link = Link(host, port, self.queue, token)
        self.link.start()

    def put(self, src, seq, line):
        self.queue.put(src, seq, line)
        self.link.wake()

    def flush(self, timeout):
        deadline = time.monotonic() + timeout
        while not self.queue.is_empty():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def close(self, timeout):
        done = self.flush(timeout)
        self.link.stop()
        self.link.join(0.5)
        return done

    def forget(self):
        self.link.forget()


class UdpSink:
    """Datagrams that repeat the previous lines: covers scattered loss, not a receiver that is away."""

    def __init__(self, host, port, token=None):
        family, kind, protocol, _, self._address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._head = lines.encode({"t": "auth", "token": token}) if token else b""
        self._previous = collections.deque(maxlen=REPEATS)

    def _send(self, data):
        try:
            self._socket.sendto(data, self._address)
        except OSError:
            pass

    def put(self, src, seq, line):
        data = line
        for earlier in reversed(self._previous):
            if len(self._head) + len(earlier) + len(data) > DATAGRAM_LIMIT:
                break
            data = earlier + data
        self._previous.append(line)
        self._send(self._head + data)

    def flush(self, timeout):
        return True

    def close(self, timeout):
        for _ in range(2):
            time.sleep(0.01)
            # One line each: three long ones need not fit one datagram.
            for line in self._previous:
                self._send(self._head + line)
        self._socket.close()
        return True

    def forget(self):
        self._socket.close()


class FileSink:
    """Appends to a file, one write a line, so that several processes may share it; imported after the run."""

    def __init__(self, path):
        self.path = path
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def put(self, src, seq, line):
        try:
            os.write(self._descriptor, line)
        except OSError:
            pass

    def flush(self, timeout):
        return True

    def close(self, timeout):
        try:
            os.fsync(self._descriptor)
        except OSError:
            pass
        os.close(self._descriptor)
        return True

    def forget(self):
        os.close(self._descriptor)


class UnixSink:
    """Datagrams to the node's agent. Linux queues only ten of them by default, so what does not fit goes to a file
    beside the socket that the agent collects."""

    def __init__(self, path, src):
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._spool_path = os.path.join(path + ".d", re.sub(r"[^0-9a-zA-Z-]", "_", src) + ".jsonl")
        self._spool = None

    def put(self, src, seq, line):
        try:
            self._socket.sendto(line, self._path)
            return
        except OSError:
            pass
        # A line that cannot be handed over in time is kept; delivery order does not matter to the receiver.
        try:
            if self._spool is None:
                self._spool = FileSink(self._spool_path)
            self._spool.put(src, seq, line)
        except OSError:
            pass

    def flush(self, timeout):
        return True

    def close(self, timeout):
        if self._spool:
            self._spool.close(timeout)
        self._socket.close()
        return True

    def forget(self):
        if self._spool:
            self._spool.forget()
        self._socket.close()


def make(endpoint, src, token=None):
    """The sink of one endpoint such as tcp://10.0.0.1:47800, udp://…, unix:///run/wattbench.sock, file:///tmp/m.jsonl."""
    parts = urlsplit(endpoint)
    if parts.scheme in ("tcp", "udp"):
        if not parts.hostname or parts.port is None:
            raise ValueError(f"marker endpoint {endpoint!r}: write {parts.scheme}://HOST:PORT")
        kind = TcpSink if parts.scheme == "tcp" else UdpSink
        return kind(parts.hostname, parts.port, token)
    if parts.scheme in ("file", "unix"):
        path = unquote(parts.path)
        if not path:
            raise ValueError(f"marker endpoint {endpoint!r}: write {parts.scheme}:///PATH")
        return FileSink(path) if parts.scheme == "file" else UnixSink(path, src)
    raise ValueError(f"marker endpoint {endpoint!r}: known ways are tcp://, udp://, unix:// and file://")
