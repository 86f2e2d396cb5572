"""The TCP way to a receiver: a background thread that sends, waits for acknowledgements and comes back after failures.

The queue behind it offers `after(id, limit)`, `acked(src, seq, up_to_id)` and `is_empty()`; `MemoryQueue` is the one of
a marker client, the agent's spool is another.
"""

import collections
import itertools
import os
import select
import socket
import sys
import threading

from . import lines

FIRST_BACK_OFF = 0.1
LAST_BACK_OFF = 5.0


class MemoryQueue:
    """Lines that are not acknowledged yet, oldest first; the oldest are dropped when it is full.

    A dropped line leaves a hole in the numbers, which the receiver names.
    """

    def __init__(self, limit=4096):
        self.limit = limit
        self.dropped = 0
        self._items = collections.deque()
        self._next = 1
        self._lock = threading.Lock()

    def put(self, src, seq, line):
        with self._lock:
            if len(self._items) >= self.limit:
                self._items.popleft()
                self.dropped += 1
            self._items.append((self._next, src, seq, line))
            self._next += 1

    def after(self, sent, limit):
        with self._lock:
            if not self._items:
                return []
            # Ids are consecutive, so the place of the first unsent line is known.
            start = max(0, sent + 1 - self._items[0][0])
            return [(item[0], item[3]) for item in itertools.islice(self._items, start, start + limit)]

    def acked(self, src, seq, up_to):
        with self._lock:
            while self._items:
                number, source, sequence, _ = self._items[0]
                if number > up_to or source != src or sequence > seq:
                    return
                self._items.popleft()

    def is_empty(self):
        with self._lock:
            return not self._items


class Link(threading.Thread):
    """Sends a queue's lines to `host:port`. Never blocks whoever fills the queue."""

    def __init__(self, host, port, queue, token=None, on_connect=None, on_idle=None):
        super().__init__(name="wattbench-link", daemon=True)
        self.host = host
        self.port = port
        self.queue = queue
        self.token = token
        self.on_connect = on_connect
        self.on_idle = on_idle
        self.connected = False
        self.connections = 0
        self._socket = None
        self._ending = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._is_awake = False
        self._progressed = False
        self._told = set()

    def wake(self):
        """There is something new in the queue (or a reason to stop)."""
        if not self._is_awake:
            self._is_awake = True
            try:
                os.write(self._wake_write, b"x")
            except OSError:
                pass

    def stop(self):
        self._ending.set()
        self.wake()

    def forget(self):
        """After a fork, in the child: its copy of the connection must not keep the parent's alive."""
        for close in (
            lambda: self._socket and self._socket.close(),
            lambda: os.close(self._wake_read),
            lambda: os.close(self._wake_write),
        ):
            try:
                close()
            except OSError:
                pass

    def run(self):
        back_off = FIRST_BACK_OFF
        while not self._ending.is_set():
            try:
                self._socket = socket.create_connection((self.host, self.port), timeout=5)
            except OSError:
                self._ending.wait(back_off)
                back_off = min(back_off * 2, LAST_BACK_OFF)
                continue
            self._progressed = False
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.setblocking(False)
                self.connections += 1
                self.connected = True
                if self.on_connect:
                    self.on_connect(self._socket)
                self._converse(self._socket)
            except OSError:
                pass
            finally:
                self.connected = False
                self._socket.close()
            # A receiver that takes connections and stores nothing deserves patience too.
            back_off = FIRST_BACK_OFF if self._progressed else min(back_off * 2, LAST_BACK_OFF)
            self._ending.wait(back_off)

    def _converse(self, sock):
        sent = 0
        out = lines.encode({"t": "auth", "token": self.token}) if self.token else b""
        incoming = b""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        while not self._ending.is_set():
            self._is_awake = False
            if len(out) < 65536:
                batch = self.queue.after(sent, 256)
                if batch:
                    out += b"".join(line for _, line in batch)
                    sent = batch[-1][0]
            poll.register(sock, select.POLLIN | (select.POLLOUT if out else 0))
            for descriptor, _ in poll.poll(1000):
                if descriptor == self._wake_read:
                    try:
                        os.read(self._wake_read, 4096)
                    except BlockingIOError:
                        pass
            try:
                data = sock.recv(65536)
                if not data:
                    return
                whole, incoming = lines.split(incoming + data)
                for line in whole:
                    self._heard(line, sent)
            except BlockingIOError:
                pass
            if out:
                try:
                    out = out[sock.send(out) :]
                except BlockingIOError:
                    pass
            if self.on_idle:
                self.on_idle()

    def _heard(self, line, sent):
        fields = lines.decode(line)
        if not fields:
            return
        if fields.get("t") == "ack":
            self._progressed = True
            self.queue.acked(fields.get("src"), fields.get("seq", 0), sent)
        elif fields.get("t") == "refused":
            reason = str(fields.get("reason"))
            if reason not in self._told:
                self._told.add(reason)
                print(f"wattbench: the marker receiver refuses this node: {reason}", file=sys.stderr)
