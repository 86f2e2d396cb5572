"""The real receiver killed with SIGKILL again and again while real clients send: nothing lost, nothing twice.

Runs where a built `wattbench` is found (WATTBENCH, or the debug build). WATTBENCH_KILLS sets the number of kills.
"""

import collections
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WATTBENCH = os.environ.get("WATTBENCH") or os.path.join(ROOT, "..", "..", ".build", "debug", "wattbench")
KILLS = int(os.environ.get("WATTBENCH_KILLS", "6"))

CLIENT = """
import sys, time
from wattbench.markers import Markers
m = Markers(node=sys.argv[1])
deadline = time.monotonic() + float(sys.argv[2])
sent = 0
while time.monotonic() < deadline:
    with m.phase("local_train", round=sent, n=sent):
        time.sleep(0.02)
    sent += 1
m.close(timeout=120)
print(2 * sent + 2)
"""


@unittest.skipUnless(os.access(WATTBENCH, os.X_OK), "wattbench is not built")
class KillTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.journal = os.path.join(folder.name, "markers.jsonl")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.receiver = None
        self.addCleanup(self.stop, signal.SIGKILL)

    def start(self):
        self.receiver = subprocess.Popen(
            [WATTBENCH, "markers", "listen", f"tcp://127.0.0.1:{self.port}", "--journal", self.journal],
            stderr=subprocess.DEVNULL,
        )
        # Reading a journal back takes the longer the more it holds: a kill before that is done tests nothing.
        while self.receiver.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        self.fail("the receiver did not come up again")

    def stop(self, how):
        if self.receiver and self.receiver.poll() is None:
            self.receiver.send_signal(how)
            self.receiver.wait()

    def test_kills_lose_nothing_and_double_nothing(self):
        random.seed(7)
        lasting = 0.4 * KILLS
        self.start()
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, f"edge-{number}", str(lasting)], stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": ROOT, "WATTBENCH_MARKERS": f"tcp://127.0.0.1:{self.port}"},
            )
            for number in range(3)
        ]
        for _ in range(KILLS):
            time.sleep(random.uniform(0.05, 0.6))
            self.stop(signal.SIGKILL)
            time.sleep(random.uniform(0, 0.1))
            self.start()
        expected = 0
        for client in clients:
            out, _ = client.communicate(timeout=180)
            expected += int(out)
        self.stop(signal.SIGINT)
        report = json.loads(
            subprocess.run([WATTBENCH, "markers", self.journal, "--json"], capture_output=True, check=True).stdout
        )
        self.assertEqual(report["missing"], [])
        self.assertEqual(report["open_spans"], [])
        self.assertEqual(report["events"], expected)
        self.assertTrue(all(source["bye"] for source in report["sources"]))
        with open(self.journal, encoding="ascii") as file:
            identities = collections.Counter(
                (fields["src"], fields["seq"]) for fields in map(json.loads, file) if "seq" in fields
            )
        self.assertEqual([identity for identity, count in identities.items() if count > 1], [])


if __name__ == "__main__":
    unittest.main()
