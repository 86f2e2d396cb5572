"""Phase markers for Flower (tested with flwr 1.41).

Nothing in the app needs to change: `python -m wattbench.flower install` puts the hooks into this environment. Where
that is not wanted, an app can mark itself by Flower's official ways:

    from wattbench.flower import mod, marked
    app = ClientApp(mods=[mod])          # or @app.train(mods=[mod])
    strategy = marked(FedAvg())

Those see the work, not the network: download and upload happen in the SuperNode, which only the hooks reach.
"""

from .hooks import marked, mod

__all__ = ["marked", "mod"]
