"""Runs the reference workload on this machine: receiver, SuperLink, SuperNodes, one agent a node, one run.

    python run_local.py --wattbench .build/debug/wattbench --servers 3 --rounds 2 --epochs 2

With --judge it checks that every line arrived and that every node shows the phases of the taxonomy.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

APP = os.path.dirname(os.path.abspath(__file__))
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0",
    "UV_PYTHON_DOWNLOADS": "never", "PYTHONUNBUFFERED": "1",
}
EDGE_PHASES = {"model_download", "app_start", "local_train", "evaluate", "poll_out", "model_upload", "await_work"}
COORDINATOR_PHASES = {
    "run", "configure_train", "configure_evaluate", "distribute", "aggregate_train", "aggregate_evaluate"
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Session:
    def __init__(self, options):
        self.options = options
        self.folder = options.folder or tempfile.mkdtemp(prefix="wattbench-flower-")
        os.makedirs(self.folder, exist_ok=True)
        self.bin = os.path.dirname(sys.executable)
        self.started = []

    def start(self, name, command, **environment):
        log = open(os.path.join(self.folder, f"{name}.log"), "ab")
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
            env={**os.environ, **QUIET, "PATH": self.bin + os.pathsep + os.environ["PATH"], **environment},
        )
        self.started.append((name, process))
        return process

    def stop(self, name, how=signal.SIGTERM, timeout=20):
        for entry in [entry for entry in self.started if entry[0] == name]:
            self.started.remove(entry)
            process = entry[1]
            if process.poll() is None:
                process.send_signal(how)
                try:
                    process.wait(timeout)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            return process.returncode
        return None

    def stop_all(self):
        for name, _ in reversed(list(self.started)):
            self.stop(name, timeout=10)

    def wait_for_port(self, port, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{what} did not come up on port {port}; see {self.folder}")

    def flwr(self, *arguments, **environment):
        done = subprocess.run(
            [os.path.join(self.bin, "flwr"), *arguments], capture_output=True, text=True, cwd=self.folder,
            env={**os.environ, **QUIET, **environment},
        )
        if done.returncode != 0:
            raise SystemExit(f"flwr {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout[done.stdout.index("{") :])

    def run(self):
        options = self.options
        port = free_port()
        markers = f"tcp://127.0.0.1:{port}"
        journal = os.path.join(self.folder, options.journal)
        receiver = [options.wattbench, *options.receiver.split()]
        receiver = [word.replace("{endpoint}", markers).replace("{journal}", journal) for word in receiver]
        self.start("receiver", receiver)
        self.wait_for_port(port, "the marker receiver")

        api = free_port()
        home = os.path.join(self.folder, "home")
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "config.toml"), "w", encoding="ascii") as file:
            file.write(f'[superlink]\ndefault = "lab"\n\n[superlink.lab]\naddress = "127.0.0.1:{api}"\ninsecure = true\n')
        common = {"WATTBENCH_RUN": "local", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

        for node in ["coordinator"] + [f"edge-{number}" for number in range(options.servers)]:
            self.start(
                f"agent-{node}",
                [sys.executable, "-m", "wattbench.agent", "--upstream", markers, "--node", node, "--run", "local",
                 "--spool", os.path.join(self.folder, f"spool-{node}")],
                WATTBENCH_MARKERS="",
            )
        self.start(
            "superlink",
            ["flower-superlink", "--insecure", "--host", "127.0.0.1", "--port", str(api),
             "--disable-runtime-dependency-installation"],
            WATTBENCH_MARKERS=markers, WATTBENCH_NODE="coordinator", FLWR_HOME=home, **common,
        )
        self.wait_for_port(api, "the SuperLink")
        for number in range(options.servers):
            own = os.path.join(self.folder, f"home-{number}")
            os.makedirs(own, exist_ok=True)
            self.start(
                f"supernode-{number}",
                ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{api}", "--port", str(free_port()),
                 "--node-config", f"partition-id={number} num-partitions={options.servers}"],
                WATTBENCH_MARKERS=markers, WATTBENCH_NODE=f"edge-{number}", FLWR_HOME=own, **common,
            )
        config = {
            "model": f'"{options.model}"', "num-servers": options.servers, "num-rounds": options.rounds,
            "local-epochs": options.epochs, "batch-size": options.batch, "train-rows": options.rows,
            "test-rows": 500, "serve-requests": options.requests, "target-accuracy": options.target,
            "shards": json.dumps(os.path.join(self.folder, "shards")), **dict(pair.split("=", 1) for pair in options.set),
        }
        words = " ".join(f"{name}={value}" for name, value in config.items())
        started = time.monotonic()
        answer = self.flwr("run", APP, "lab", "--run-config", words, "--format", "json", FLWR_HOME=home)
        run_id = str(answer["run-id"])
        print(f"run {run_id} in {self.folder}", file=sys.stderr)
        status = ""
        while not status.startswith("finished"):
            if time.monotonic() - started > options.timeout:
                raise SystemExit(f"the run did not finish in {options.timeout} s; see {self.folder}")
            time.sleep(2)
            listed = self.flwr("list", "--run-id", run_id, "--format", "json", "lab", FLWR_HOME=home)
            status = listed["runs"][0]["status"]
        print(f"{status} after {time.monotonic() - started:.0f} s", file=sys.stderr)
        for number in range(options.servers):
            self.stop(f"supernode-{number}")
        self.stop("superlink")
        for name in [name for name, _ in self.started if name.startswith("agent-")]:
            self.stop(name)
        self.stop("receiver", signal.SIGINT)
        if status != "finished:completed":
            raise SystemExit(f"the run ended as {status}; see {self.folder}")
        report = subprocess.run(
            [options.wattbench, "markers", journal, "--json"], capture_output=True, text=True, check=True
        )
        return json.loads(report.stdout)


def judge(report, options):
    """Sentences for everything that is not as it should be."""
    faults = []
    if report["missing"]:
        faults.append(f"lines are missing: {report['missing']}")
    if report["open_spans"] or report["lost_begins"]:
        faults.append(f"spans are open: {report['open_spans']} {report['lost_begins']}")
    silent = [source for source in report["sources"] if not source["bye"]]
    if silent:
        faults.append(f"no bye from {silent}")
    expected = {"coordinator": COORDINATOR_PHASES}
    for number in range(options.servers):
        expected[f"edge-{number}"] = EDGE_PHASES | {"query_dataset"} | ({"query_serve"} if options.requests else set())
    for node, kinds in expected.items():
        found = report["nodes"].get(node)
        if found is None:
            faults.append(f"{node} never spoke")
            continue
        lacking = kinds - {phase["kind"] for phase in found["phases"]}
        if lacking:
            faults.append(f"{node} lacks {sorted(lacking)}")
        for before, after in zip(found["phases"], found["phases"][1:]):
            if before["end_ns"] != after["begin_ns"]:
                faults.append(f"{node}: hole or overlap at {before['end_ns']}")
        if sum(phase["end_ns"] - phase["begin_ns"] for phase in found["phases"]) != (
            found["phases"][-1]["end_ns"] - found["phases"][0]["begin_ns"]
        ):
            faults.append(f"{node}: phases do not sum to its time")
        if any(boot["clock"] != "host" for boot in found["boots"]):
            faults.append(f"{node}: its clock is not known")
        counts = {}
        for phase in found["phases"]:
            counts[phase["kind"]] = counts.get(phase["kind"], 0) + 1
        if node.startswith("edge"):
            trained = [phase for phase in found["phases"] if phase["kind"] == "local_train"]
            if len(trained) != options.rounds or sorted(phase["round"] for phase in trained) != list(
                range(1, options.rounds + 1)
            ):
                faults.append(f"{node}: {len(trained)} trainings in {options.rounds} rounds")
            if not any(envelope["kind"] == "dataset_receive" for envelope in found["envelopes"]):
                faults.append(f"{node} lacks dataset_receive")
            if any(int(phase["attr"].get("bytes", 0)) <= 0 for phase in trained):
                faults.append(f"{node}: a training without its message size")
        print(f"{node}: {counts}", file=sys.stderr)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wattbench", required=True, type=os.path.abspath, help="the wattbench program")
    parser.add_argument(
        "--receiver", default="markers listen {endpoint} --journal {journal}",
        help="its words for receiving markers; {endpoint} and {journal} are filled in",
    )
    parser.add_argument("--journal", default="markers.jsonl", help="file name of the journal or run")
    parser.add_argument("--folder", type=os.path.abspath, help="where everything goes (default: a new folder)")
    parser.add_argument("--model", default="mlp", choices=["mlp", "cnn", "lstm"])
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=600)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--target", type=float, default=2.0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="more of the app's settings")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--judge", action="store_true", help="exit 1 unless every line and phase is there")
    options = parser.parse_args()
    session = Session(options)
    try:
        report = session.run()
    finally:
        session.stop_all()
    print(f"{report['events']} events from {len(report['sources'])} processes", file=sys.stderr)
    if not options.judge:
        print(json.dumps(report))
        return 0
    faults = judge(report, options)
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    print("flower run: " + ("ok" if not faults else f"{len(faults)} faults"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
