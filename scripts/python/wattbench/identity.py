"""Who speaks: node, boot and process names, and the clocks of a line."""

import os
import secrets
import socket
import time


def node_name():
    """Name of this node from its configuration (WATTBENCH_NODE); the host name only if none is set."""
    return os.environ.get("WATTBENCH_NODE") or socket.gethostname()


def boot_id():
    """First 12 hex digits of the kernel's boot id: names the CLOCK_MONOTONIC time line."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip().replace("-", "")[:12]
    except OSError:
        # Without procfs the moment of the boot, to the minute, serves as its name.
        return "t%x" % (int(time.time() - time.monotonic()) // 60)


def source_id():
    """One per process: pid in hex, dash, random."""
    return "%x-%s" % (os.getpid(), secrets.token_hex(3))


def clocks():
    """CLOCK_MONOTONIC first (the time that counts), then CLOCK_REALTIME; integer nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC), time.clock_gettime_ns(time.CLOCK_REALTIME)
