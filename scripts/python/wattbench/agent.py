"""Node agent: carries the markers of this node's processes to the receiver, answers clock requests, reports telemetry.

    python -m wattbench.agent --upstream tcp://COORDINATOR:47800 --node edge-0 --spool /var/lib/wattbench

Processes reach it by unix:///run/wattbench.sock (WATTBENCH_MARKERS) or by TCP on the node itself. What it takes is on
disk before it is acknowledged and stays there until the receiver has stored it. It executes nothing: it reads lines and
forwards them.
"""

import argparse
import glob
import os
import random
import selectors
import signal
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

from . import identity, lines
from .link import Link
from .spool import Spool
from .telemetry import Telemetry

ASK_EVERY_SECONDS = 30.0
ASK_COUNT = 16
ASK_SPACING_SECONDS = 0.015


def _lives(spool_path):
    """Whether the process that writes the file (its name begins with the pid in hex) is still there."""
    try:
        os.kill(int(os.path.basename(spool_path).split("-")[0], 16), 0)
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
    return True


class Answerer(threading.Thread):
    """Answers clock requests by UDP, and asks for the host's clock where the host cannot reach the node.

    A thread that only waits for datagrams: stamps are taken before anything else is done.
    """

    def __init__(self, host, port, upstream_host, node, boot, token=None, on_exchange=None):
        super().__init__(name="wattbench-clock", daemon=True)
        self._allowed = {info[4][0] for info in socket.getaddrinfo(upstream_host, None)}
        family = socket.AF_INET6 if any(":" in address for address in self._allowed) else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port = self._socket.getsockname()[1]
        self._tail = {"node": node, "boot": boot}
        self._head = lines.encode({"t": "auth", "token": token}) if token else b""
        self._on_exchange = on_exchange
        self._asked = {}
        self.answered = 0

    def run(self):
        while True:
            try:
                data, peer = self._socket.recvfrom(65536)
            except OSError:
                return
            now, _ = identity.clocks()
            if peer[0] not in self._allowed:
                continue
            fields = lines.decode(data)
            if not fields:
                continue
            if fields.get("t") == "ping":
                answer = {"t": "pong", "id": fields.get("id"), "t1": fields.get("t1"), "t2": now, **self._tail}
                answer["t3"], _ = identity.clocks()
                self._send(lines.encode(answer), peer)
                self.answered += 1
            elif fields.get("t") == "sync_resp":
                t1 = self._asked.pop(fields.get("id"), None)
                if t1 is not None and t1 == fields.get("t1") and self._on_exchange:
                    self._on_exchange(fields, now)

    def ask(self, address):
        """One burst of requests."""
        self._asked.clear()
        for _ in range(ASK_COUNT):
            number = random.getrandbits(52)
            now, _ = identity.clocks()
            self._asked[number] = now
            self._send(self._head + lines.encode({"t": "sync_req", "id": number, "t1": now}), address)
            time.sleep(ASK_SPACING_SECONDS)

    def _send(self, data, address):
        try:
            self._socket.sendto(data, address)
        except OSError:
            pass

    def close(self):
        self._socket.close()


class OwnSource:
    """The agent's own numbered lines, put into the spool like everyone else's."""

    def __init__(self, node, run, spool):
        self._node = node
        self._run = run
        self._spool = spool
        self._boot = identity.boot_id()
        self._src = identity.source_id()
        self._seq = 0
        self._lock = threading.Lock()

    def emit(self, kind, **fields):
        with self._lock:
            mono, wall = identity.clocks()
            self._seq += 1
            line = {
                "v": 1, "node": self._node, "boot": self._boot, "src": self._src, "seq": self._seq, "mono": mono,
                "wall": wall,
            }
            if self._run:
                line["run"] = self._run
            line["t"] = kind
            if kind == "bye":
                line["last"] = self._seq
            line.update(fields)
            self._spool.put_all([(self._node, self._boot, self._src, self._seq, lines.encode(line))])


class QuietWatch:
    """Whether no phase of this node is open: its radio may then be used for clock requests."""

    ENVELOPES = ("app_wait", "run", "dataset_receive")

    def __init__(self):
        self._open = {}

    def note(self, fields):
        src = fields.get("src")
        if fields.get("t") == "bye":
            self._open.pop(src, None)
        if fields.get("t") != "mark" or fields.get("ph") in self.ENVELOPES:
            return
        if fields.get("ev") == "begin":
            if fields.get("ph") == "model_download":
                self._open.clear()
            self._open.setdefault(src, set()).add(fields.get("span"))
        elif fields.get("ev") == "end":
            spans = self._open.get(src)
            if spans:
                spans.discard(fields.get("span"))
                if not spans:
                    del self._open[src]

    @property
    def is_quiet(self):
        return not self._open


class Agent:
    """One selector loop for the local side; link and clock have threads of their own."""

    def __init__(self, options):
        upstream = urlsplit(options.upstream)
        if upstream.scheme != "tcp" or not upstream.hostname or upstream.port is None:
            raise ValueError(f"upstream {options.upstream!r}: write tcp://HOST:PORT")
        self._address = (upstream.hostname, upstream.port)
        self._options = options
        self._node = options.node or identity.node_name()
        os.makedirs(options.spool, exist_ok=True)
        self._spool = Spool(os.path.join(options.spool, "spool.sqlite"))
        self._own = OwnSource(self._node, options.run, self._spool)
        self._quiet = QuietWatch()
        loopback = upstream.hostname in ("localhost", "::1") or upstream.hostname.startswith("127.")
        token = options.token or os.environ.get("WATTBENCH_TOKEN")
        self._clock = Answerer(
            options.udp_host or ("127.0.0.1" if loopback else "0.0.0.0"), options.udp_port, upstream.hostname,
            self._node, identity.boot_id(), token, self._exchanged,
        )
        self._link = Link(*self._address, self._spool, token, on_connect=self._connected)
        self._selector = selectors.DefaultSelector()
        self._telemetry = Telemetry()
        self._ending = False
        self._arrived = []
        self._waiting_acks = []
        self._file_offsets = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self.unreadable = 0

    def _connected(self, sock):
        # Told anew on every later connection: a restarted receiver must learn where the answerer is.
        if self._link.connections > 1:
            self._hello()

    def _hello(self):
        self._own.emit(
            "hello", role="agent", pid=os.getpid(), prog="wattbench.agent", attr={"udp_port": self._clock.port}
        )

    def _exchanged(self, response, t4):
        self._own.emit("clk", t1=response["t1"], t2=response.get("t2"), t3=response.get("t3"), t4=t4)
        self._link.wake()

    # Local side

    def _listen(self):
        if self._options.socket:
            try:
                os.unlink(self._options.socket)
            except FileNotFoundError:
                pass
            unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            unix.bind(self._options.socket)
            unix.setblocking(False)
            self._selector.register(unix, selectors.EVENT_READ, self._datagram)
            os.makedirs(self._options.socket + ".d", exist_ok=True)
        if self._options.port is not None:
            server = socket.create_server(("127.0.0.1", self._options.port))
            server.setblocking(False)
            self.port = server.getsockname()[1]
            self._selector.register(server, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_read, selectors.EVENT_READ, lambda key: os.read(self._wake_read, 64))

    def _datagram(self, key):
        for _ in range(256):
            try:
                data = key.fileobj.recv(65536)
            except BlockingIOError:
                return
            for line in data.split(b"\n"):
                self._take(line)

    def _accept(self, key):
        try:
            connection, _ = key.fileobj.accept()
        except OSError:
            return
        connection.setblocking(False)
        state = {"in": b"", "skip": False}
        self._selector.register(connection, selectors.EVENT_READ, lambda key: self._read(key, state))

    def _read(self, key, state):
        try:
            data = key.fileobj.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(key.fileobj)
            key.fileobj.close()
            return
        whole, rest = lines.split(state["in"] + data)
        last = {}
        for line in whole:
            if state["skip"]:
                state["skip"] = False
                continue
            fields = self._take(line)
            if fields:
                last[fields["src"]] = fields["seq"]
        if len(rest) > lines.LIMIT:
            # The rest of an oversized line is skipped when its line break comes.
            if not state["skip"]:
                self.unreadable += 1
            state["skip"] = True
            rest = b""
        state["in"] = rest
        if last:
            self._waiting_acks.append((key.fileobj, last))

    def _take(self, line):
        """Puts a numbered line aside for the spool. Returns its fields, or None for anything else."""
        if not line.strip():
            return None
        fields = lines.decode(line) if len(line) <= lines.LIMIT else None
        if not fields or not isinstance(fields.get("seq"), int) or not isinstance(fields.get("src"), str):
            self.unreadable += 1
            return None
        self._arrived.append(
            (str(fields.get("node")), str(fields.get("boot")), fields["src"], fields["seq"], line + b"\n")
        )
        self._quiet.note(fields)
        return fields

    def _collect_spools(self):
        """Files that Unix-socket senders left when the socket was full. A file is removed once its writer has ended;
        until then its new lines are taken."""
        for path in glob.glob(glob.escape(self._options.socket + ".d") + "/*.jsonl"):
            over = not _lives(path)
            done = self._file_offsets.get(path, 0)
            with open(path, "rb") as file:
                file.seek(done)
                data = file.read()
            whole, rest = lines.split(data)
            for line in whole:
                self._take(line)
            self._file_offsets[path] = done + len(data) - len(rest)
            if over:
                self._store()
                os.unlink(path)
                del self._file_offsets[path]

    def _store(self):
        if self._arrived:
            rows, self._arrived = self._arrived, []
            self._spool.put_all(rows)
            self._link.wake()
        acks, self._waiting_acks = self._waiting_acks, []
        for connection, last in acks:
            answer = b"".join(lines.encode({"t": "ack", "src": src, "seq": seq}) for src, seq in last.items())
            try:
                connection.send(answer)
            except OSError:
                pass

    # Life

    def stop(self, *_):
        self._ending = True
        try:
            os.write(self._wake_write, b"x")
        except OSError:
            pass

    def run(self):
        self._hello()
        self._listen()
        self._clock.start()
        self._link.start()
        next_telemetry = next_files = time.monotonic()
        next_ask = time.monotonic() + 1
        while not self._ending:
            now = time.monotonic()
            due = [next_files] if self._options.socket else []
            if self._options.telemetry > 0:
                due.append(next_telemetry)
            for key, _ in self._selector.select(max(0.0, min(due + [now + 1]) - now)):
                key.data(key)
            self._store()
            now = time.monotonic()
            if self._options.telemetry > 0 and now >= next_telemetry:
                next_telemetry += self._options.telemetry
                if next_telemetry < now:
                    next_telemetry = now + self._options.telemetry
                self._own.emit("tel", attr=lines.clean(self._telemetry.read()))
                self._link.wake()
            if self._options.socket and now >= next_files:
                next_files = now + 1
                self._collect_spools()
                self._store()
            if self._options.clock == "ask" and now >= next_ask and self._quiet.is_quiet:
                next_ask = now + ASK_EVERY_SECONDS
                threading.Thread(target=self._clock.ask, args=(self._address,), daemon=True).start()
        self._finish()

    def _finish(self):
        for key in list(self._selector.get_map().values()):
            if key.data == self._datagram:
                self._datagram(key)
        if self._options.socket:
            self._collect_spools()
        self._store()
        self._own.emit("bye")
        self._link.wake()
        deadline = time.monotonic() + self._options.exit_flush
        while not self._spool.is_empty() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._link.stop()
        self._link.join(1)
        self._clock.close()
        left = len(self._spool)
        if left:
            print(f"wattbench.agent: {left} lines stay in the spool for the next start", file=sys.stderr)
        self._spool.close()
        if self._options.socket:
            try:
                os.unlink(self._options.socket)
            except OSError:
                pass


def parser():
    parser = argparse.ArgumentParser(
        prog="python -m wattbench.agent", description=__doc__.split("\n")[0],
        epilog="example: python -m wattbench.agent --upstream tcp://10.0.0.1:47800 --node edge-0",
    )
    parser.add_argument("--upstream", required=True, metavar="tcp://HOST:PORT", help="the marker receiver")
    parser.add_argument("--node", help="this node's name (default: WATTBENCH_NODE, else the host name)")
    parser.add_argument("--run", default=os.environ.get("WATTBENCH_RUN"), help="name of the run")
    parser.add_argument("--spool", default="/var/lib/wattbench", help="folder for lines not delivered yet")
    parser.add_argument("--socket", help="Unix datagram socket for local processes, such as /run/wattbench.sock")
    parser.add_argument("--port", type=int, help="TCP port on loopback for local processes (0: any)")
    parser.add_argument("--udp-host", help="address of the clock answerer (default: loopback for a loopback upstream)")
    parser.add_argument("--udp-port", type=int, default=0, help="port of the clock answerer (default: any)")
    parser.add_argument("--token", help="what the receiver wants to be sent first (default: WATTBENCH_TOKEN)")
    parser.add_argument("--telemetry", type=float, default=1.0, metavar="S", help="seconds between readings, 0: none")
    parser.add_argument(
        "--clock", choices=["answer", "ask"], default="answer",
        help="ask: for nodes that the receiver cannot reach by UDP",
    )
    parser.add_argument("--exit-flush", type=float, default=2.0, metavar="S", help="how long to deliver at the end")
    return parser


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        agent = Agent(options)
    except (OSError, ValueError) as error:
        print(f"wattbench.agent: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
