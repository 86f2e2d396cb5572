"""The hooks against stand-ins with Flower's shapes. The real Flower run is scripts/test-flower."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

MESSAGES = '''
class Record(dict):
    def count_bytes(self): return 100
class Content(dict):
    @property
    def config_records(self): return {k: v for k, v in self.items() if k == "config"}
    @property
    def metric_records(self): return {k: v for k, v in self.items() if k == "metrics"}
class Metadata:
    def __init__(self, **fields): self.__dict__.update(fields)
class Message:
    def __init__(self, type="train", id="m1", **content):
        self.metadata = Metadata(run_id=18446744073709551615, message_id=id, message_type=type, src_node_id=1, dst_node_id=2,
                                 reply_to_message_id="")
        self.content = Content({k: Record(v) for k, v in content.items()})
    def has_error(self): return False
    def has_content(self): return True
class Context:
    node_config = {"partition-id": 4}
'''

FLOWER = {
    "flwr/__init__.py": "", "flwr/clientapp/__init__.py": "", "flwr/serverapp/__init__.py": "",
    "flwr/serverapp/strategy/__init__.py": "", "flwr/superlink/__init__.py": "", "flwr/superlink/grid/__init__.py": "",
    "flwr/supernode/__init__.py": "",
    "flwr/messages.py": MESSAGES,
    "flwr/clientapp/client_app.py": '''
from flwr.messages import Message
class ClientApp:
    def __call__(self, message, context):
        return Message(id="reply", metrics={"loss": 0.25})
''',
    "flwr/serverapp/strategy/strategy.py": '''
class Strategy:
    def start(self, grid, arrays, num_rounds=1, evaluate_fn=None):
        for number in range(1, num_rounds + 1):
            replies = grid.pull_messages(grid.push_messages(self.configure_train(number, arrays, {}, grid)))
            self.aggregate_train(number, (reply for reply in replies))
            if evaluate_fn: evaluate_fn(number, arrays)
        return "done"
''',
    "flwr/superlink/grid/http_grid.py": '''
class HttpGrid:
    def push_messages(self, messages): return [m for m in messages]
    def pull_messages(self, ids): return ids
''',
    "flwr/supernode/start_client_internal.py": '''
import logging
def _pull_and_store_message(state, receive, pull_object):
    received = receive()
    if received is None: return None
    pull_object(1, "o1"); pull_object(1, "o2")
    return 1
def _push_messages(state, send, push_object):
    send(state, None, 0.0)
    push_object(1, "session", "o1", b"12345")
''',
}

SUPERNODE = '''
from flwr.messages import Message
from flwr.supernode import start_client_internal as s
assert s._pull_and_store_message(state=None, receive=lambda: None, pull_object=None) is None
m = Message()
assert s._pull_and_store_message(state=None, receive=lambda: (m, None), pull_object=lambda r, o: b"abc") == 1
s._push_messages(state=m, send=lambda *a: ("ids", "s"), push_object=lambda *a: None)
try:
    s._pull_and_store_message(state=None, receive=lambda: (m, None), pull_object=lambda r, o: 1 / 0)
    raise SystemExit("swallowed")
except ZeroDivisionError: pass
'''


class HookTests(unittest.TestCase):
    def run_hooked(self, code, without=(), replace=None):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {**FLOWER, **(replace or {})}.items():
                if path in without:
                    continue
                whole = os.path.join(folder, path)
                os.makedirs(os.path.dirname(whole), exist_ok=True)
                with open(whole, "w", encoding="utf-8") as file:
                    file.write(text)
            out = os.path.join(folder, "out.jsonl")
            done = subprocess.run(
                [sys.executable, "-c", "import wattbench.flower.autoload\n" + code], capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": ROOT + os.pathsep + folder, "WATTBENCH_MARKERS": "file://" + out},
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.errors = done.stderr
            if not os.path.exists(out):
                return []
            with open(out, encoding="ascii") as file:
                return [fields for fields in map(json.loads, file) if fields["t"] == "mark"]

    def shape(self, found):
        return [f"{f['ph']} {f['ev']}" for f in found]

    def test_the_supernodes_download_wait_and_upload_are_marked_with_their_bytes(self):
        found = self.run_hooked(SUPERNODE)
        self.assertEqual(
            self.shape(found),
            ["model_download begin", "model_download end", "app_wait begin", "app_wait end", "model_upload begin",
             "model_upload end", "model_download begin", "model_download end"],
        )
        self.assertEqual(found[0]["attr"]["run_id"], "18446744073709551615")
        self.assertEqual((found[1]["attr"]["bytes"], found[1]["attr"]["objects"]), (6, 2))
        self.assertEqual(found[5]["attr"]["bytes"], 5)
        self.assertEqual(found[7]["attr"]["error"], "ZeroDivisionError")

    def test_the_user_function_is_marked_once_though_mod_and_hook_are_in_place(self):
        found = self.run_hooked('''
from flwr.clientapp.client_app import ClientApp
from flwr.messages import Message, Context
from wattbench.flower import mod
plain = ClientApp.__call__
app = ClientApp()
reply = mod(Message("train", config={"server-round": 7}), Context(), lambda m, c: app(m, c))
app(Message("query.dataset", id="m2"), Context())
app(Message("evaluate", id="m3"), Context())
''')
        self.assertEqual(
            self.shape(found),
            [f"{kind} {edge}" for kind in ("local_train", "query_dataset", "evaluate") for edge in ("begin", "end")],
        )
        self.assertEqual((found[0]["round"], found[0]["attr"]["bytes"], found[0]["attr"]["part"]), (7, 100, "4"))
        self.assertEqual(found[1]["attr"]["loss"], 0.25)

    def test_a_strategy_of_any_class_and_the_grid_are_marked(self):
        found = self.run_hooked('''
from flwr.serverapp.strategy.strategy import Strategy
from flwr.superlink.grid.http_grid import HttpGrid
from flwr.messages import Message
class Mine(Strategy):
    def configure_train(self, number, arrays, config, grid): yield Message(config={"server-round": number})
    def aggregate_train(self, number, replies): assert len(list(replies)) == 1
strategy = Mine()
for _ in range(2): assert strategy.start(HttpGrid(), None, num_rounds=1, evaluate_fn=lambda n, a: None) == "done"
''')
        once = ["run begin", "configure_train begin", "configure_train end", "distribute begin", "distribute end",
                "collect point", "aggregate_train begin", "aggregate_train end", "central_eval begin",
                "central_eval end", "run end"]
        self.assertEqual(self.shape(found), once * 2)
        self.assertEqual(found[3]["round"], 1)
        self.assertEqual(found[5]["attr"]["nodes"], ["1"])

    def test_functions_that_are_gone_are_named_and_the_rest_goes_on(self):
        found = self.run_hooked(
            "import flwr.superlink.grid.http_grid, flwr.clientapp.client_app\n",
            replace={"flwr/superlink/grid/http_grid.py": "class HttpGrid:\n    def pull_messages(self, ids): return ids\n",
                     "flwr/clientapp/client_app.py": "pass\n"},
        )
        self.assertEqual(self.shape(found), ["hooks_missing point"] * 2)
        self.assertIn("cannot mark distribute", self.errors)

    def test_log_lines_serve_where_the_supernodes_functions_moved(self):
        found = self.run_hooked(
            '''
import logging, flwr.supernode.start_client_internal
log = logging.getLogger("flwr"); log.setLevel(logging.INFO)
log.info("Receiving: %s message (ID: %s)", "train", "m1"); log.info("Received successfully")
log.info("Sending: %s message (ID: %s)", "train", "m2"); log.info("Sent successfully")
''',
            replace={"flwr/supernode/start_client_internal.py": "pass\n"},
        )
        self.assertEqual(
            self.shape(found)[1:],
            ["model_download begin", "model_download end", "app_wait begin", "app_wait end", "model_upload begin",
             "model_upload end"],
        )


if __name__ == "__main__":
    unittest.main()
