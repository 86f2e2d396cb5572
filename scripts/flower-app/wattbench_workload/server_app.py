"""Coordinator: shares out the dataset, runs federated averaging until the target accuracy, then lets the edges serve."""

import time

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from . import data, models

app = ServerApp()


class UntilAccuracy(FedAvg):
    """Federated averaging that asks for nothing more once the edges' mean accuracy has reached the target."""

    def __init__(self, target, **options):
        super().__init__(**options)
        self.target = target
        self.reached_in_round = None

    def configure_train(self, server_round, arrays, config, grid):
        return [] if self.reached_in_round else super().configure_train(server_round, arrays, config, grid)

    def configure_evaluate(self, server_round, arrays, config, grid):
        return [] if self.reached_in_round else super().configure_evaluate(server_round, arrays, config, grid)

    def aggregate_train(self, server_round, replies):
        return (None, None) if self.reached_in_round else super().aggregate_train(server_round, replies)

    def aggregate_evaluate(self, server_round, replies):
        if self.reached_in_round:
            return None
        metrics = super().aggregate_evaluate(server_round, replies)
        if metrics is not None and float(metrics["accuracy"]) >= self.target:
            self.reached_in_round = server_round
        return metrics


def _nodes(grid, wanted):
    """Ids of the edge servers, once all are there."""
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) >= wanted:
            return nodes[:wanted]
        time.sleep(1)


def _ask(grid, messages, what):
    replies = list(grid.send_and_receive(messages))
    failed = [reply for reply in replies if reply.has_error()]
    if failed or len(replies) < len(messages):
        reasons = "; ".join(reply.error.reason for reply in failed)
        raise RuntimeError(f"{what}: {len(failed)} of {len(messages)} edge servers failed: {reasons}")
    return replies


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    servers = int(config["num-servers"])
    nodes = _nodes(grid, servers)
    model = models.make(config)
    print(f"{config['model']}: {model.parameter_count} parameters, {model.message_bytes} bytes a message")

    if config["distribute-dataset"]:
        train, test = data.load(config)
        # The n-th partition goes to whoever holds it: each edge server saves what it gets under its own number, so the
        # shards only need to be disjoint.
        messages = []
        for part, node in enumerate(nodes):
            arrays = [*data.shard(train, part, servers), *data.shard(test, part, servers)]
            content = RecordDict({"shard": ArrayRecord(arrays)})
            messages.append(Message(content, node, "query.dataset"))
        _ask(grid, messages, "dataset")

    strategy = UntilAccuracy(
        float(config["target-accuracy"]), fraction_train=1.0, fraction_evaluate=1.0, min_train_nodes=servers,
        min_evaluate_nodes=servers, min_available_nodes=servers,
    )
    result = strategy.start(grid, ArrayRecord(model.parameters), num_rounds=int(config["num-rounds"]))
    reached = strategy.reached_in_round
    print(f"target reached in round {reached}" if reached else "target not reached")

    if int(config["serve-requests"]) > 0:
        content = RecordDict(
            {"arrays": result.arrays, "config": ConfigRecord({"requests": int(config["serve-requests"])})}
        )
        _ask(grid, [Message(content, node, "query.serve") for node in nodes], "serving")
