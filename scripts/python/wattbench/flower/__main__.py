"""Puts the Flower hooks into this Python environment, takes them out, or says which phases they can mark.

    python -m wattbench.flower install | uninstall | check
"""

import argparse
import importlib
import json
import os
import sys
import sysconfig

PTH = "wattbench-flower.pth"
# One line, run at every start of this environment's Python; does nothing unless markers are asked for.
LINE = "import os; os.environ.get('WATTBENCH_MARKERS') and __import__('wattbench.flower.autoload')\n"


def _path():
    return os.path.join(sysconfig.get_path("purelib"), PTH)


def install():
    path = _path()
    partial = path + ".partial"
    with open(partial, "w", encoding="ascii") as file:
        file.write(LINE)
    os.replace(partial, path)
    print(f"Flower hooks are in {path}; they work where WATTBENCH_MARKERS is set.")
    return 0


def uninstall():
    try:
        os.unlink(_path())
        print("Flower hooks are out.")
    except FileNotFoundError:
        print("Flower hooks were not in.")
    return 0


def check():
    """Imports what the hooks change and tells what came of it."""
    from . import autoload

    autoload.install()
    found = {"flwr": None, "installed": os.path.exists(_path()), "modules": {}, "missing": autoload._missing}
    try:
        found["flwr"] = importlib.import_module("importlib.metadata").version("flwr")
    except Exception:
        pass
    for name in autoload.PATCHES:
        try:
            importlib.import_module(name)
            found["modules"][name] = "hooked"
        except Exception as error:
            found["modules"][name] = f"{type(error).__name__}: {error}"
            autoload._missing.append(name)
    print(json.dumps(found, indent=2))
    return 1 if autoload._missing else 0


def main():
    parser = argparse.ArgumentParser(prog="python -m wattbench.flower", description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=["install", "uninstall", "check"])
    action = parser.parse_args().action
    return {"install": install, "uninstall": uninstall, "check": check}[action]()


if __name__ == "__main__":
    sys.exit(main())
