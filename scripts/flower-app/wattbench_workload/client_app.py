"""Edge server: receives its shard, trains E local epochs, evaluates, serves."""

import time

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from . import data, models

app = ClientApp()


def _shard(context):
    """Training and evaluation part of this edge server: as received, or cut from the whole where nothing was sent."""
    config = context.run_config
    part, parts = int(context.node_config["partition-id"]), int(config["num-servers"])
    if config["distribute-dataset"]:
        return data.load_shard(data.shard_path(config, part))
    train, test = data.load(config)
    return [*data.shard(train, part, parts), *data.shard(test, part, parts)]


def _model(message, context):
    model = models.make(context.run_config)
    model.load(message.content["arrays"].to_numpy_ndarrays())
    return model


@app.query("dataset")
def receive_dataset(message: Message, context: Context) -> Message:
    part = int(context.node_config["partition-id"])
    arrays = message.content["shard"].to_numpy_ndarrays()
    data.save_shard(data.shard_path(context.run_config, part), arrays)
    metrics = MetricRecord({"rows": len(arrays[0]), "dataset_bytes": sum(array.nbytes for array in arrays)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)


@app.train()
def train(message: Message, context: Context) -> Message:
    config = context.run_config
    inputs, labels, _, _ = _shard(context)
    model = _model(message, context)
    inputs = data.model_inputs(config["model"], inputs)
    labels = labels.astype(np.int64)
    rng = np.random.default_rng([int(config["seed"]), int(context.node_config["partition-id"])])
    loss = 0.0
    for _ in range(int(config["local-epochs"])):
        loss = model.train_epoch(inputs, labels, int(config["batch-size"]), float(config["learning-rate"]), rng)
    metrics = MetricRecord(
        {"num-examples": len(inputs), "loss": loss, "parameters": model.parameter_count,
         "message_bytes": model.message_bytes}
    )
    content = RecordDict({"arrays": ArrayRecord(model.parameters), "metrics": metrics})
    return Message(content=content, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    _, _, inputs, labels = _shard(context)
    model = _model(message, context)
    accuracy = model.accuracy(data.model_inputs(context.run_config["model"], inputs), labels)
    metrics = MetricRecord({"num-examples": len(inputs), "accuracy": accuracy})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)


@app.query("serve")
def serve(message: Message, context: Context) -> Message:
    """Answers single requests one after the other, as a serving edge server would."""
    _, _, inputs, _ = _shard(context)
    model = _model(message, context)
    inputs = data.model_inputs(context.run_config["model"], inputs)
    requests = int(message.content["config"]["requests"])
    started = time.monotonic()
    for number in range(requests):
        row = number % len(inputs)
        model.predict(inputs[row : row + 1])
    metrics = MetricRecord({"requests": requests, "seconds": time.monotonic() - started})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)
