"""A receiver for tests: stores lines in memory and acknowledges what it stored last, as the protocol says."""

import json
import socket
import socketserver
import threading


class Receiver:
    def __init__(self, port=0, acknowledge=True):
        self.lines = []
        self.raw = []
        self.lock = threading.Lock()
        self.acknowledge = acknowledge
        self.connections = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with outer.lock:
                    outer.connections.append(self.connection)
                for line in self.rfile:
                    fields = outer.take(line)
                    if fields and outer.acknowledge and "seq" in fields:
                        answer = json.dumps({"t": "ack", "src": fields["src"], "seq": fields["seq"]}) + "\n"
                        try:
                            self.wfile.write(answer.encode())
                        except OSError:
                            return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.udp.settimeout(0.02)
        self.closed = False
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.listening = threading.Thread(target=self._datagrams, daemon=True)
        self.listening.start()

    def take(self, line):
        try:
            fields = json.loads(line)
        except ValueError:
            return None
        with self.lock:
            self.raw.append(line)
            self.lines.append(fields)
        return fields

    def _datagrams(self):
        while not self.closed:
            try:
                data, _ = self.udp.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            for line in data.splitlines():
                self.take(line)

    @property
    def endpoint(self):
        return f"tcp://127.0.0.1:{self.port}"

    def unique(self, kind=None):
        with self.lock:
            found = {(f["src"], f["seq"]): f for f in self.lines if "seq" in f}
        return [f for _, f in sorted(found.items()) if kind is None or f["t"] == kind]

    def close(self):
        if self.closed:
            return
        self.closed = True
        # Only when nobody waits on it any more is its port free.
        self.listening.join()
        self.server.shutdown()
        self.server.server_close()
        self.udp.close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                connection.close()


def eventually(condition, seconds=20):
    """Whether the condition came to hold; waits no longer than needed."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())
