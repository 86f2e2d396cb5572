import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import unittest

from wattbench import lines, sinks
from wattbench.link import MemoryQueue
from wattbench.markers import Markers

sys.path.insert(0, os.path.dirname(__file__))
from receiver import Receiver, eventually  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT, **environment}, capture_output=True,
        text=True, timeout=60,
    )


class LineTests(unittest.TestCase):
    def test_values_no_json_reader_takes_are_made_harmless(self):
        cleaned = lines.clean({"a": float("nan"), "b": 2**64, "c": 2**63, "d": {1: (object,)}, "e": b"x"})
        text = json.dumps(cleaned, allow_nan=False)
        self.assertEqual(json.loads(text)["a"], "nan")
        self.assertEqual(cleaned["b"], str(2**64))
        self.assertEqual(cleaned["c"], 2**63)

    def test_nesting_stays_within_what_the_receiver_reads(self):
        deep = value = {}
        for _ in range(50):
            value["x"] = {}
            value = value["x"]
        cleaned, depth = json.loads(json.dumps(lines.clean(deep))), 0
        while isinstance(cleaned, dict):
            cleaned, depth = cleaned.get("x"), depth + 1
        self.assertLess(depth, 12)

    def test_a_line_over_the_limit_loses_its_attributes_and_says_so(self):
        line = lines.encode({"t": "mark", "attr": {"x": "y" * 10_000}})
        self.assertLess(len(line), lines.LIMIT)
        self.assertIn("truncated", json.loads(line)["attr"])


class QueueTests(unittest.TestCase):
    def test_a_full_queue_drops_the_oldest(self):
        queue = MemoryQueue(limit=3)
        for seq in range(1, 6):
            queue.put("s", seq, b"%d" % seq)
        self.assertEqual([line for _, line in queue.after(0, 10)], [b"3", b"4", b"5"])
        self.assertEqual(queue.dropped, 2)

    def test_an_acknowledgement_takes_only_what_was_sent(self):
        queue = MemoryQueue()
        for seq in range(1, 6):
            queue.put("s", seq, b"%d" % seq)
        queue.acked("s", 5, up_to=3)
        self.assertEqual([line for _, line in queue.after(0, 10)], [b"4", b"5"])
        queue.acked("other", 5, up_to=9)
        self.assertFalse(queue.is_empty())


class ClientTests(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def test_a_phase_becomes_begin_and_end_with_numbers_in_order(self):
        markers = Markers([self.receiver.endpoint], node="edge-7", run="r1", role="test")
        with markers.phase("local_train", round=3, samples=5) as span:
            span.attr["loss"] = 0.5
        markers.point("collect", n=3)
        with self.assertRaises(ZeroDivisionError):
            with markers.phase("evaluate"):
                1 / 0
        self.assertTrue(markers.close())
        found = self.receiver.unique()
        self.assertEqual([f["t"] for f in found], ["hello", "mark", "mark", "mark", "mark", "mark", "bye"])
        self.assertEqual([f["seq"] for f in found], list(range(1, 8)))
        begin, end = found[1], found[2]
        self.assertEqual((begin["ev"], begin["ph"], begin["round"], begin["attr"]), ("begin", "local_train", 3, {"samples": 5}))
        self.assertEqual((end["ev"], end["span"], end["attr"]), ("end", begin["span"], {"loss": 0.5}))
        self.assertEqual(found[5]["attr"]["error"], "ZeroDivisionError")
        self.assertEqual(found[6]["last"], 7)
        self.assertTrue(all(f["node"] == "edge-7" and f["run"] == "r1" and len(f["boot"]) == 12 for f in found))
        stamps = [f["mono"] for f in found]
        self.assertEqual(stamps, sorted(stamps))
        self.assertTrue(all(isinstance(stamp, int) for stamp in stamps))

    def test_everything_arrives_though_the_receiver_was_away(self):
        port = self.receiver.port
        self.receiver.close()
        markers = Markers([f"tcp://127.0.0.1:{port}"])
        for number in range(500):
            markers.point("x", n=number)
        second = Receiver(port)
        self.addCleanup(second.close)
        self.assertTrue(markers.close(timeout=20))
        self.assertEqual([f["seq"] for f in second.unique()], list(range(1, 503)))

    def test_what_was_not_acknowledged_is_sent_again(self):
        self.receiver.acknowledge = False
        markers = Markers([self.receiver.endpoint])
        markers.point("x")
        self.assertTrue(eventually(lambda: len(self.receiver.unique()) == 2))
        port = self.receiver.port
        self.receiver.close()
        second = Receiver(port)
        self.addCleanup(second.close)
        self.assertTrue(markers.close(timeout=20))
        self.assertEqual([f["seq"] for f in second.unique()], [1, 2, 3])

    def test_a_process_that_ends_at_once_loses_nothing(self):
        done = run_python(
            "from wattbench.markers import phase\nwith phase('local_train'): pass\n",
            WATTBENCH_MARKERS=self.receiver.endpoint, WATTBENCH_NODE="n",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([f["t"] for f in self.receiver.unique()], ["hello", "mark", "mark", "bye"])

    def test_children_after_fork_and_of_multiprocessing_are_sources_of_their_own(self):
        code = (
            "import multiprocessing, os\n"
            "from wattbench import markers\n"
            "markers.point('parent')\n"
            "def work(n): markers.point('child', n=n)\n"
            "context = multiprocessing.get_context('fork')\n"
            "children = [context.Process(target=work, args=(n,)) for n in range(3)]\n"
            "[c.start() for c in children]; [c.join() for c in children]\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    markers.point('forked')\n"
            "    pid = os.fork()\n"
            "    if pid == 0: markers.point('grandchild')\n"
            "    else: os.waitpid(pid, 0)\n"
            "else: os.waitpid(pid, 0); markers.point('parent')\n"
        )
        done = run_python(code, WATTBENCH_MARKERS=self.receiver.endpoint)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.receiver.unique()
        kinds = sorted(f["ph"] for f in found if f["t"] == "mark")
        self.assertEqual(kinds, ["child"] * 3 + ["forked", "grandchild"] + ["parent"] * 2)
        sources = {f["src"] for f in found}
        self.assertEqual(len(sources), 6)
        for source in sources:
            own = [f for f in found if f["src"] == source]
            self.assertEqual([f["seq"] for f in own], list(range(1, len(own) + 1)))
            self.assertEqual((own[0]["t"], own[-1]["t"]), ("hello", "bye"))

    def test_threads_share_one_line_of_numbers(self):
        import threading

        markers = Markers([self.receiver.endpoint])
        threads = [threading.Thread(target=lambda: [markers.point("x") for _ in range(200)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(markers.close(timeout=20))
        found = self.receiver.unique()
        self.assertEqual([f["seq"] for f in found], list(range(1, 1603)))
        stamps = [f["mono"] for f in found]
        self.assertEqual(stamps, sorted(stamps))

    def test_datagrams_repeat_so_that_scattered_loss_loses_nothing(self):
        markers = Markers([f"udp://127.0.0.1:{self.receiver.port}"])
        for _ in range(20):
            markers.point("x")
        markers.close()
        def copies():
            with self.receiver.lock:
                numbers = [fields["seq"] for fields in self.receiver.lines]
            return [numbers.count(seq) for seq in range(1, 23)]

        self.assertTrue(eventually(lambda: min(copies()) >= 3), copies())

    def test_a_file_takes_the_same_lines_in_parallel(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "deep", "m.jsonl")
            markers = Markers([self.receiver.endpoint, f"file://{path}"])
            markers.point("x")
            markers.close()
            with open(path, "rb") as file:
                self.assertEqual(file.read().splitlines(), [line.strip() for line in self.receiver.raw])

    def test_without_an_endpoint_nothing_happens_and_nothing_fails(self):
        done = run_python(
            "import threading\nfrom wattbench.markers import phase, default\n"
            "with phase('x'): pass\nassert not default().enabled and threading.active_count() == 1\n",
            WATTBENCH_MARKERS="",
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_wrong_endpoint_is_named_and_the_program_goes_on(self):
        done = run_python("from wattbench.markers import point\npoint('x')\nprint('on')\n", WATTBENCH_MARKERS="tcp://nowhere")
        self.assertEqual(done.stdout, "on\n")
        self.assertIn("tcp://HOST:PORT", done.stderr)
        with self.assertRaises(ValueError):
            sinks.make("http://a:1", "s")

    def test_a_caller_never_waits_for_an_absent_receiver(self):
        self.receiver.close()
        markers = Markers([self.receiver.endpoint])
        started = time.monotonic()
        for _ in range(6000):
            markers.point("x")
        took = time.monotonic() - started
        # 5 s would be one connection attempt; the queue just fills and drops its oldest.
        self.assertLess(took, 4)
        self.assertGreater(markers._sinks[0].queue.dropped, 0)
        markers.close(timeout=0)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    unittest.main()
