import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from wattbench.agent import QuietWatch
from wattbench.markers import Markers
from wattbench.spool import Spool
from wattbench.telemetry import Telemetry

sys.path.insert(0, os.path.dirname(__file__))
from receiver import Receiver, eventually  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class SpoolTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "s.sqlite")

    def test_lines_survive_a_restart_and_repeats_are_kept_once(self):
        spool = Spool(self.path)
        spool.put_all([("n", "b", "s", seq, b"%d\n" % seq) for seq in (1, 2, 2, 3)])
        spool.close()
        spool = Spool(self.path)
        self.assertEqual([line for _, line in spool.after(0, 10)], [b"1\n", b"2\n", b"3\n"])
        spool.close()

    def test_a_late_line_with_an_older_number_is_not_taken_for_delivered(self):
        spool = Spool(self.path)
        spool.put_all([("n", "b", "s", 10, b"10\n"), ("n", "b", "s", 5, b"5\n")])
        spool.acked("s", 10, up_to=2)
        self.assertEqual([line for _, line in spool.after(0, 10)], [b"5\n"])
        spool.acked("s", 5, up_to=2)
        self.assertTrue(spool.is_empty())
        spool.close()

    def test_a_full_spool_drops_the_oldest_and_counts_them(self):
        spool = Spool(self.path, limit=3)
        spool.put_all([("n", "b", "s", seq, b"%d\n" % seq) for seq in range(1, 6)])
        self.assertEqual(len(spool), 3)
        self.assertEqual(spool.dropped, 2)
        spool.close()


class TelemetryTests(unittest.TestCase):
    def fake(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, text in files.items():
            whole = folder.name + path
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w", encoding="ascii") as file:
                file.write(text)
        return folder.name

    def test_a_pi_is_read_from_proc_and_sys(self):
        root = self.fake({
            "/sys/class/thermal/thermal_zone0/temp": "48312\n",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            "/sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
            "/proc/stat": "cpu  0 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\ncpu1 0 0 0 200 0 0 0 0 0 0\n",
            "/proc/net/dev": "h\nh\n    lo: 9 0 0 0 0 0 0 0 9 0\nwlan0: 1000 1 0 0 0 0 0 0 2000 1\n",
        })
        telemetry = Telemetry(root, vcgencmd="")
        first = telemetry.read()
        self.assertEqual(
            first, {"soc_temp_c": 48.312, "cpu_mhz": 1500.0, "throttled": 0x50000, "rx_bytes": 1000, "tx_bytes": 2000}
        )
        with open(root + "/proc/stat", "w", encoding="ascii") as file:
            file.write("cpu  0 0 0 0\ncpu0 200 0 0 100 0 0 0 0 0 0\ncpu1 25 0 0 275 0 0 0 0 0 0\n")
        self.assertEqual(telemetry.read()["util_sum"], 1.25)

    def test_vcgencmd_gives_voltage_now_and_then(self):
        root = self.fake({"/vcgencmd": "#!/bin/sh\necho volt=0.8600V\n"})
        os.chmod(root + "/vcgencmd", 0o755)
        telemetry = Telemetry(root, vcgencmd=root + "/vcgencmd")
        readings = [telemetry.read() for _ in range(11)]
        self.assertEqual([r.get("vcore_v") for r in readings], [0.86] + [None] * 9 + [0.86])

    def test_what_cannot_be_read_is_not_reported(self):
        self.assertEqual(Telemetry("/nowhere", vcgencmd="").read(), {})


class QuietTests(unittest.TestCase):
    def test_an_open_phase_keeps_the_radio_silent_and_the_next_download_ends_a_dead_one(self):
        watch = QuietWatch()
        watch.note({"t": "mark", "ev": "begin", "ph": "app_wait", "src": "a", "span": 1})
        self.assertTrue(watch.is_quiet)
        watch.note({"t": "mark", "ev": "begin", "ph": "local_train", "src": "b", "span": 1})
        self.assertFalse(watch.is_quiet)
        watch.note({"t": "mark", "ev": "begin", "ph": "model_download", "src": "a", "span": 2})
        watch.note({"t": "mark", "ev": "end", "ph": "model_download", "src": "a", "span": 2})
        self.assertTrue(watch.is_quiet)


class AgentTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.receiver = Receiver()
        self.addCleanup(lambda: self.receiver.close())

    def start(self, *more, port=None):
        process = subprocess.Popen(
            [sys.executable, "-m", "wattbench.agent", "--upstream", f"tcp://127.0.0.1:{port or self.receiver.port}",
             "--node", "edge-0", "--spool", self.folder + "/spool", "--socket", self.folder + "/s.sock", *more],
            env={**os.environ, "PYTHONPATH": ROOT, "WATTBENCH_MARKERS": ""}, stderr=subprocess.PIPE,
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(eventually(lambda: os.path.exists(self.folder + "/s.sock")))
        return process

    def test_it_carries_datagrams_and_reports_telemetry(self):
        agent = self.start("--telemetry", "0.2")
        markers = Markers([f"unix://{self.folder}/s.sock"], node="edge-0", heartbeat=False)
        for number in range(300):
            markers.point("x", n=number)
        markers.close()
        own = lambda: [f for f in self.receiver.unique() if f["src"] == markers.source]
        self.assertTrue(eventually(lambda: len(own()) == 302))
        self.assertTrue(eventually(lambda: len(self.receiver.unique("tel")) >= 3))
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(20), 0)
        agents = [f for f in self.receiver.unique() if f["src"] != markers.source]
        self.assertEqual((agents[0]["t"], agents[0]["role"], agents[-1]["t"]), ("hello", "agent", "bye"))
        self.assertEqual([f["seq"] for f in agents], list(range(1, len(agents) + 1)))

    def test_lines_that_found_no_agent_are_collected_later(self):
        markers = Markers([f"unix://{self.folder}/s.sock"], node="edge-0", heartbeat=False)
        markers.point("x")
        self.start("--telemetry", "0")
        markers.point("y")
        markers.close()
        own = lambda: [f for f in self.receiver.unique() if f["src"] == markers.source]
        self.assertTrue(eventually(lambda: len(own()) == 4))

    def test_what_is_not_delivered_survives_the_agent(self):
        port = self.receiver.port
        self.receiver.close()
        agent = self.start("--telemetry", "0", "--exit-flush", "0", port=port)
        markers = Markers([f"unix://{self.folder}/s.sock"], node="edge-0", heartbeat=False)
        for _ in range(20):
            markers.point("x")
        markers.close()
        spool = lambda: subprocess.run(
            [sys.executable, "-c", "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
             "'select count(*) from line where src = ?', (sys.argv[2],)).fetchone()[0])",
             self.folder + "/spool/spool.sqlite", markers.source], capture_output=True, text=True).stdout.strip()
        self.assertTrue(eventually(lambda: spool() == "22"))
        agent.kill()
        agent.wait()
        os.unlink(self.folder + "/s.sock")
        self.receiver = Receiver(port)
        self.start("--telemetry", "0", port=port)
        own = lambda: [f for f in self.receiver.unique() if f["src"] == markers.source]
        self.assertTrue(eventually(lambda: len(own()) == 22))

    def test_local_tcp_is_acknowledged_once_it_is_on_disk(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local = probe.getsockname()[1]
        self.start("--telemetry", "0", "--port", str(local))
        markers = Markers([f"tcp://127.0.0.1:{local}"], node="edge-0", heartbeat=False)
        for _ in range(50):
            markers.point("x")
        self.assertTrue(markers.close(timeout=20))
        own = lambda: [f for f in self.receiver.unique() if f["src"] == markers.source]
        self.assertTrue(eventually(lambda: len(own()) == 52))

    def test_it_answers_clock_requests_with_its_own_clock(self):
        self.start("--telemetry", "0")
        self.assertTrue(eventually(lambda: self.receiver.unique("hello")))
        port = self.receiver.unique("hello")[0]["attr"]["udp_port"]
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(asker.close)
        asker.settimeout(20)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        asker.sendto(b"garbage", ("127.0.0.1", port))
        asker.sendto(b'{"t":"ping","id":7,"t1":9007199254740993}', ("127.0.0.1", port))
        answer = json.loads(asker.recv(65536))
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.assertEqual((answer["t"], answer["id"], answer["t1"]), ("pong", 7, 9007199254740993))
        self.assertTrue(before <= answer["t2"] <= answer["t3"] <= after)
        self.assertEqual(answer["node"], "edge-0")

    def test_a_node_that_cannot_be_reached_asks_itself(self):
        self.start("--telemetry", "0", "--clock", "ask")
        answered = []

        def answers():
            for fields in list(self.receiver.lines):
                if fields.get("t") == "sync_req" and fields["id"] not in answered:
                    answered.append(fields["id"])
                    port = self.receiver.unique("hello")[0]["attr"]["udp_port"]
                    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                    reply = {"t": "sync_resp", "id": fields["id"], "t1": fields["t1"], "t2": now, "t3": now}
                    self.receiver.udp.sendto(json.dumps(reply).encode(), ("127.0.0.1", port))
            return len(self.receiver.unique("clk")) >= 10

        self.assertTrue(eventually(answers))
        line = self.receiver.unique("clk")[0]
        self.assertLess(line["t1"], line["t4"])


if __name__ == "__main__":
    unittest.main()
