"""Node side of the Wattbench harness: phase markers, node agent, Flower hooks, run reader.

Import what you need from its module; nothing is loaded here.
"""

__version__ = "0.1.0"
