"""What is marked where. No flwr import here: the functions take Flower's objects as they come."""

import functools
import threading
import time

from .. import markers

# Messages whose user function is being marked in this process: mod and hook may both be in place.
_entered = set()
_entered_lock = threading.Lock()

STRATEGY_METHODS = ("configure_train", "aggregate_train", "configure_evaluate", "aggregate_evaluate")


def work_kind(message_type):
    """Phase of a message type: `train` is local_train, `query.dataset` is query_dataset."""
    category, _, action = str(message_type).partition(".")
    name = {"train": "local_train", "evaluate": "evaluate"}.get(category, category)
    if category == "query":
        return f"query_{action}" if action and action != "default" else "query_default"
    # A second train function of an app is still training; its action goes into the attributes.
    return name


def message_attributes(message):
    """Correlation ids and sizes. Flower's ids are 64-bit unsigned: told as text."""
    attributes = {}
    metadata = getattr(message, "metadata", None)
    for name in ("run_id", "message_id", "reply_to_message_id", "src_node_id", "dst_node_id", "message_type"):
        value = getattr(metadata, name, None)
        if value not in (None, ""):
            attributes["type" if name == "message_type" else name] = str(value)
    return attributes


def content_bytes(message):
    """Bytes of the message's records, or None where it has none (an error reply, content not pulled yet)."""
    try:
        if message.has_error() or not message.has_content():
            return None
        return sum(record.count_bytes() for record in message.content.values())
    except Exception:
        return None


def server_round(message):
    try:
        for record in message.content.config_records.values():
            for name in ("server-round", "server_round"):
                if name in record:
                    return int(record[name])
    except Exception:
        pass
    return None


def reply_attributes(reply):
    """Size and numbers of a reply."""
    attributes = {}
    try:
        if reply.has_error():
            return {"error": str(reply.error.reason)[:200]}
        size = content_bytes(reply)
        if size is not None:
            attributes["bytes"] = size
        for record in reply.content.metric_records.values():
            for name, value in list(record.items())[:20]:
                if isinstance(value, (int, float)):
                    attributes[str(name)] = value
    except Exception:
        pass
    return attributes


def call_marked(call, message, context):
    """Runs a user function inside its phase; used by the mod and by the hook, whichever comes first."""
    m = markers.default(role="clientapp")
    if not m.enabled:
        return call(message, context)
    key = (getattr(message.metadata, "message_id", None), threading.get_ident())
    with _entered_lock:
        outer = key not in _entered
        _entered.add(key)
    if not outer:
        return call(message, context)
    attributes = message_attributes(message)
    size = content_bytes(message)
    if size is not None:
        attributes["bytes"] = size
    config = getattr(context, "node_config", None) or {}
    if "partition-id" in config:
        attributes["part"] = str(config["partition-id"])
    try:
        with m.phase(work_kind(message.metadata.message_type), server_round(message), **attributes) as span:
            reply = call(message, context)
            span.attr.update(reply_attributes(reply))
            return reply
    finally:
        with _entered_lock:
            _entered.discard(key)


def mod(message, context, call_next):
    """Flower mod: marks the user function."""
    return call_marked(call_next, message, context)


def marked(strategy):
    """Marks a strategy's methods and its run. Returns the same strategy."""
    if strategy.__dict__.get("_wattbench_marked"):
        return strategy
    strategy._wattbench_marked = True
    mark_methods(strategy)
    start = strategy.start

    @functools.wraps(start)
    def run(*args, **kwargs):
        return run_marked(start, strategy, args, kwargs)

    strategy.start = run
    return strategy


def mark_methods(strategy):
    """Marks configure and aggregate methods of one strategy object, whatever class they come from; once."""
    if strategy.__dict__.get("_wattbench_methods"):
        return
    strategy._wattbench_methods = True
    for name in STRATEGY_METHODS:
        method = getattr(strategy, name, None)
        if callable(method):
            setattr(strategy, name, _marked_method(name, method))


def _marked_method(name, method):
    @functools.wraps(method)
    def call(*args, **kwargs):
        number = args[0] if args else kwargs.get("server_round")
        attributes = {}
        if name.startswith("aggregate_"):
            # The replies may come as an iterable that can be walked once.
            replies = list(args[1] if len(args) > 1 else kwargs.pop("replies", ()))
            args = (number, replies, *args[2:])
            kwargs.pop("server_round", None)
            attributes = {"replies": len(replies), "errors": sum(1 for reply in replies if _is_error(reply))}
        with markers.default(role="serverapp").phase(name, number, **attributes):
            result = method(*args, **kwargs)
            # Messages are made here, not while they are being sent.
            return list(result) if name.startswith("configure_") and result is not None else result

    return call


def _is_error(reply):
    try:
        return bool(reply.has_error())
    except Exception:
        return False


def run_marked(start, strategy, args, kwargs):
    m = markers.default(role="serverapp")
    evaluate = kwargs.get("evaluate_fn")
    if evaluate is not None:

        @functools.wraps(evaluate)
        def central_eval(number, *rest, **more):
            with m.phase("central_eval", number):
                return evaluate(number, *rest, **more)

        kwargs = dict(kwargs, evaluate_fn=central_eval)
    rounds = kwargs.get("num_rounds", args[2] if len(args) > 2 else None)
    with m.phase("run", strategy=type(strategy).__name__, rounds=rounds):
        return start(*args, **kwargs)


class SupernodeMarks:
    """Download, app_wait and upload as the SuperNode sees them."""

    def __init__(self):
        self.download = None
        self.wait = None
        self.upload = None
        self.attributes = {}

    @property
    def markers(self):
        return markers.default(role="supernode")

    def message_came(self, message):
        self.abandon()
        self.attributes = message_attributes(message)
        self.download = self.markers.begin("model_download", **self.attributes)

    def download_over(self, size=None, objects=None, error=None):
        span, self.download = self.download, None
        if span is None:
            return
        outcome = {"bytes": size, "objects": objects, "error": error}
        self.markers.end(span, **{name: value for name, value in outcome.items() if value is not None})
        if error is None:
            self.wait = self.markers.begin("app_wait", **self.attributes)

    def reply_goes(self, message):
        self.upload_over()
        if self.wait is not None:
            self.markers.end(self.wait)
            self.wait = None
        self.upload = self.markers.begin("model_upload", **message_attributes(message))

    def upload_over(self, size=None, objects=None, error=None):
        span, self.upload = self.upload, None
        if span is not None:
            outcome = {"bytes": size, "objects": objects, "error": error}
            self.markers.end(span, **{name: value for name, value in outcome.items() if value is not None})

    def abandon(self):
        """A new message came though the last one's way was not seen to its end."""
        self.upload_over(error="not seen to its end")
        if self.wait is not None:
            self.markers.end(self.wait, error="not seen to its end")
            self.wait = None


def pull_marked(pull, marks):
    """Wraps the SuperNode's `_pull_and_store_message`."""

    @functools.wraps(pull)
    def call(*args, **kwargs):
        receive = kwargs["receive"]
        pull_object = kwargs.get("pull_object")
        count = [0, 0]

        def receive_marked():
            received = receive()
            if received is not None:
                marks.message_came(received[0])
            return received

        def pull_object_counted(*a, **k):
            content = pull_object(*a, **k)
            count[0] += len(content)
            count[1] += 1
            return content

        kwargs["receive"] = receive_marked
        if pull_object is not None:
            kwargs["pull_object"] = pull_object_counted
        try:
            run = pull(*args, **kwargs)
        except BaseException as error:
            marks.download_over(error=type(error).__name__)
            raise
        marks.download_over(*count, error=None if run is not None else "not stored")
        return run

    return call


def push_marked(push, marks):
    """Wraps the SuperNode's `_push_messages`."""

    @functools.wraps(push)
    def call(*args, **kwargs):
        send = kwargs["send"]
        push_object = kwargs.get("push_object")
        count = [0, 0]
        failure = [None]

        def send_marked(message, *a, **k):
            count[:] = [0, 0]
            failure[0] = None
            marks.reply_goes(message)
            try:
                return send(message, *a, **k)
            except BaseException as error:
                failure[0] = type(error).__name__
                raise

        def push_object_counted(*a, **k):
            try:
                result = push_object(*a, **k)
            except BaseException as error:
                failure[0] = type(error).__name__
                raise
            content = k.get("content", a[-1] if a else b"")
            count[0] += len(content) if isinstance(content, (bytes, bytearray)) else 0
            count[1] += 1
            return result

        kwargs["send"] = send_marked
        if push_object is not None:
            kwargs["push_object"] = push_object_counted
        try:
            return push(*args, **kwargs)
        finally:
            marks.upload_over(*count, error=failure[0])

    return call


def push_messages_marked(push):
    """Wraps the grid's `push_messages`: distribution of the model."""

    @functools.wraps(push)
    def call(grid, messages, *args, **kwargs):
        messages = list(messages)
        if not messages:
            return push(grid, messages, *args, **kwargs)
        number = server_round(messages[0])
        attributes = {"n": len(messages), "type": str(messages[0].metadata.message_type)}
        sizes = [content_bytes(message) for message in messages]
        if all(size is not None for size in sizes):
            attributes["bytes"] = sum(sizes)
        with markers.default(role="serverapp").phase("distribute", number, **attributes):
            return push(grid, messages, *args, **kwargs)

    return call


def pull_messages_marked(pull):
    """Wraps the grid's `pull_messages`: a point for each pull that returned replies."""

    @functools.wraps(pull)
    def call(grid, *args, **kwargs):
        started = time.monotonic_ns()
        replies = list(pull(grid, *args, **kwargs))
        if replies:
            markers.default(role="serverapp").point(
                "collect", n=len(replies), nodes=[str(reply.metadata.src_node_id) for reply in replies],
                took_ns=time.monotonic_ns() - started, errors=sum(1 for reply in replies if _is_error(reply)),
            )
        return replies

    return call
