"""Hooks Flower's modules when they are imported. Loaded by `wattbench-flower.pth` in every Python of the environment
(only where WATTBENCH_MARKERS is set), so it must be quick and must never fail.

Each patch is guarded: what this Flower version does not have is named once, and the rest goes on.
"""

import importlib.abc
import importlib.machinery
import logging
import os
import sys

_missing = []


def _report(place, reason):
    """Names an edge that cannot be marked, on stderr and in the run."""
    _missing.append(place)
    print(f"wattbench: cannot mark {place}: {reason}", file=sys.stderr)
    try:
        from .. import markers

        markers.default().point("hooks_missing", place=place, reason=reason)
    except Exception:
        pass


def _wrap(owner, name, wrapper, place):
    original = getattr(owner, name, None)
    if original is None:
        _report(place, f"{getattr(owner, '__name__', owner)}.{name} is gone in this Flower version")
        return False
    if not getattr(original, "_wattbench", False):
        wrapped = wrapper(original)
        wrapped._wattbench = True
        setattr(owner, name, wrapped)
    return True


def patch_client_app(module):
    from . import hooks

    def wrapper(original):
        def call(self, message, context):
            return hooks.call_marked(lambda m, c: original(self, m, c), message, context)

        return call

    _wrap(module.ClientApp, "__call__", wrapper, "local_train, evaluate, query")


def patch_strategy(module):
    from . import hooks

    def wrapper(original):
        def start(self, *args, **kwargs):
            # A strategy marked by the app itself brings its own run phase.
            if self.__dict__.get("_wattbench_marked"):
                return original(self, *args, **kwargs)
            hooks.mark_methods(self)
            return hooks.run_marked(lambda *a, **k: original(self, *a, **k), self, args, kwargs)

        return start

    _wrap(module.Strategy, "start", wrapper, "run, configure, aggregate")


def patch_grid(module):
    from . import hooks

    _wrap(module.HttpGrid, "push_messages", hooks.push_messages_marked, "distribute")
    _wrap(module.HttpGrid, "pull_messages", hooks.pull_messages_marked, "collect")


def patch_supernode(module):
    from . import hooks

    marks = hooks.SupernodeMarks()
    if hasattr(module, "_pull_and_store_message") and hasattr(module, "_push_messages"):
        _wrap(module, "_pull_and_store_message", lambda f: hooks.pull_marked(f, marks), "model_download")
        _wrap(module, "_push_messages", lambda f: hooks.push_marked(f, marks), "model_upload")
    else:
        _report("bytes of model_download and model_upload", "the SuperNode's functions moved; its log lines serve instead")
        logging.getLogger("flwr").addHandler(LogMarks(marks))


class LogMarks(logging.Handler):
    """The same four edges from the SuperNode's log lines, should its functions move."""

    def __init__(self, marks):
        super().__init__(logging.INFO)
        self._marks = marks

    def emit(self, record):
        text = str(record.msg)
        try:
            if text.startswith("Receiving:"):
                self._marks.message_came(_Logged(record))
            elif text.startswith("Received successfully"):
                self._marks.download_over()
            elif text.startswith("Failed to receive"):
                self._marks.download_over(error="not stored")
            elif text.startswith("Sending:"):
                self._marks.reply_goes(_Logged(record))
            elif text.startswith("Sent successfully"):
                self._marks.upload_over()
            elif text.startswith("Failed to send"):
                self._marks.upload_over(error="not sent")
        except Exception:
            pass


class _Logged:
    """A message as far as a log line tells of it."""

    def __init__(self, record):
        self.metadata = self
        args = record.args if isinstance(record.args, tuple) else ()
        self.message_type = args[0] if len(args) > 0 else None
        self.message_id = args[1] if len(args) > 1 else None


PATCHES = {
    "flwr.clientapp.client_app": patch_client_app,
    "flwr.serverapp.strategy.strategy": patch_strategy,
    "flwr.superlink.grid.http_grid": patch_grid,
    "flwr.supernode.start_client_internal": patch_supernode,
}


class _Loader(importlib.abc.Loader):
    """Runs the patch right after the module has run."""

    def __init__(self, loader, name):
        self._loader = loader
        self._name = name

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        apply(self._name, module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname not in PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, fullname)
        return spec


def apply(name, module):
    try:
        PATCHES[name](module)
    except Exception as error:
        _report(name, f"{type(error).__name__}: {error}")


def install():
    """Hooks what is imported from now on, and what is there already."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name in PATCHES:
        if name in sys.modules:
            apply(name, sys.modules[name])


if os.environ.get("WATTBENCH_MARKERS"):
    install()
