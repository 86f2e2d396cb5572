"""Marks phases of federated learning for the Wattbench harness.

    from wattbench.markers import phase

    with phase("local_train", round=3, samples=len(data)) as p:
        loss = train()
        p.attr["loss"] = loss

Where the lines go is set from outside: WATTBENCH_MARKERS=tcp://HOST:PORT (several, comma-separated, may also name
udp://, unix:// and file://), WATTBENCH_NODE, WATTBENCH_RUN, WATTBENCH_TOKEN. Without WATTBENCH_MARKERS nothing is sent
and a marker costs next to nothing. A marker never blocks and never raises.
"""

import atexit
import contextlib
import os
import sys
import threading

from . import identity, lines, sinks

HEARTBEAT_SECONDS = 10.0
EXIT_FLUSH_SECONDS = 2.0


class Span:
    """An open phase. What is put into `attr` before its end is told with the end."""

    def __init__(self, kind, number, round=None):
        self.kind = kind
        self.number = number
        self.round = round
        self.attr = {}
        self.is_open = True


class Markers:
    """The numbered lines of this process. Thread-safe; starts anew in the child after a fork."""

    def __init__(self, endpoints=None, node=None, run=None, role=None, program=None, token=None, heartbeat=True):
        if endpoints is None:
            endpoints = [e for e in os.environ.get("WATTBENCH_MARKERS", "").split(",") if e.strip()]
        self._endpoints = [endpoint.strip() for endpoint in endpoints]
        self._node = node or identity.node_name()
        self._run = run or os.environ.get("WATTBENCH_RUN")
        self._role = role
        self._program = program or os.path.basename(sys.argv[0] or "python")
        self._token = token or os.environ.get("WATTBENCH_TOKEN")
        self._heartbeat = heartbeat
        self._lock = threading.RLock()
        self._start()
        if self._sinks:
            atexit.register(self.close)
            os.register_at_fork(
                # Looked up when the fork happens: the child has a lock of its own.
                before=lambda: self._lock.acquire(),
                after_in_parent=lambda: self._lock.release(),
                after_in_child=self._forked,
            )

    @property
    def enabled(self):
        return bool(self._sinks)

    @property
    def source(self):
        return self._src

    def _start(self):
        self._boot = identity.boot_id()
        self._src = identity.source_id()
        self._seq = 0
        self._spans = 0
        self._closed = False
        self._quiet = threading.Event()
        self._sinks = []
        for endpoint in self._endpoints:
            try:
                self._sinks.append(sinks.make(endpoint, self._src, self._token))
            except (OSError, ValueError) as error:
                print(f"wattbench: no markers to {endpoint}: {error}", file=sys.stderr)
        if self._sinks:
            self._emit("hello", role=self._role, pid=os.getpid(), prog=self._program)
            if self._heartbeat:
                threading.Thread(target=self._beat, args=(self._quiet,), name="wattbench-beat", daemon=True).start()

    def _forked(self):
        old = self._sinks
        self._lock = threading.RLock()
        for sink in old:
            with contextlib.suppress(OSError):
                sink.forget()
        was_closed = self._closed
        self._sinks = []
        if not was_closed:
            self._start()
            # Children of multiprocessing leave without running atexit; its own exit list is emptied after this, so
            # the entry is made when it has been.
            util = sys.modules.get("multiprocessing.util")
            if util is not None:
                util.register_after_fork(self, lambda markers: util.Finalize(None, markers.close, exitpriority=100))

    def _beat(self, quiet):
        while not quiet.wait(HEARTBEAT_SECONDS):
            self._emit("hb")

    def _emit(self, kind, **fields):
        attr = fields.pop("attr", None)
        with self._lock:
            if self._closed or not self._sinks:
                return None
            # Stamp and number under one lock: numbers then follow time.
            mono, wall = identity.clocks()
            self._seq += 1
            line = {
                "v": 1, "node": self._node, "boot": self._boot, "src": self._src, "seq": self._seq,
                "mono": mono, "wall": wall,
            }
            if self._run:
                line["run"] = self._run
            line["t"] = kind
            for name, value in fields.items():
                if value is not None:
                    line[name] = value
            if attr:
                line["attr"] = lines.clean(attr)
            data = lines.encode(line)
            for sink in self._sinks:
                try:
                    sink.put(self._src, self._seq, data)
                except Exception as error:  # the measured program must not die of its markers
                    print(f"wattbench: marker lost: {error}", file=sys.stderr)
            return mono

    def begin(self, kind, round=None, **attr):
        """Opens a phase and returns its span, to be given to `end`."""
        with self._lock:
            self._spans += 1
            span = Span(kind, self._spans, round)
            self._emit("mark", ev="begin", ph=kind, span=span.number, round=_integer(round), attr=attr)
        return span

    def end(self, span, **attr):
        """Closes a phase; a second time does nothing."""
        if not span.is_open:
            return
        span.is_open = False
        self._emit(
            "mark", ev="end", ph=span.kind, span=span.number, round=_integer(span.round), attr={**span.attr, **attr}
        )

    def point(self, kind, round=None, **attr):
        """Something that takes no time."""
        self._emit("mark", ev="point", ph=kind, round=_integer(round), attr=attr)

    def telemetry(self, readings):
        self._emit("tel", attr=readings)

    def emit(self, kind, **fields):
        """A line of any kind, for the agent."""
        return self._emit(kind, **fields)

    @contextlib.contextmanager
    def phase(self, kind, round=None, **attr):
        """Marks what runs inside. An exception is told with the end and passed on."""
        span = self.begin(kind, round, **attr)
        try:
            yield span
        except BaseException as error:
            span.attr["error"] = type(error).__name__
            raise
        finally:
            self.end(span)

    def flush(self, timeout=EXIT_FLUSH_SECONDS):
        """True once everything is delivered as far as the ways can tell."""
        return all([sink.flush(timeout) for sink in self._sinks])

    def close(self, timeout=EXIT_FLUSH_SECONDS):
        """Says bye and delivers what is left; runs by itself at exit."""
        with self._lock:
            if self._closed:
                return True
            self._quiet.set()
            self._emit("bye", last=self._seq + 1)
            self._closed = True
        return all([sink.close(timeout) for sink in self._sinks])


def _integer(value):
    """A round as an integer; anything else is no round."""
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


_default = None
_default_lock = threading.Lock()


def default(role=None):
    """The markers of this process, made from the environment at first use."""
    global _default
    if _default is None:
        with _default_lock:
            if _default is None:
                _default = Markers(role=role)
    return _default


def phase(kind, round=None, **attr):
    return default().phase(kind, round, **attr)


def begin(kind, round=None, **attr):
    return default().begin(kind, round, **attr)


def end(span, **attr):
    default().end(span, **attr)


def point(kind, round=None, **attr):
    default().point(kind, round, **attr)
