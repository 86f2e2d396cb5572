"""Marker lines as bytes: one JSON object a line, at most 8 KiB, 64-bit integers exact."""

import json
import math

LIMIT = 8192


def clean(value, depth=0):
    """A value that any JSON reader takes: no NaN, no integers beyond 64 bits, no foreign types, not too deep."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if depth < 8:
        if isinstance(value, dict):
            return {str(key): clean(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [clean(item, depth + 1) for item in value]
    # numpy scalars and the like know their plain number.
    item = getattr(value, "item", None)
    if callable(item) and depth < 8:
        try:
            return clean(item(), depth + 1)
        except (TypeError, ValueError):
            pass
    return str(value)[:1000]


def encode(fields):
    """The line with its line break. Attributes that make it too long are left out, and the line says so."""
    line = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(line) > LIMIT and "attr" in fields:
        line = json.dumps(
            dict(fields, attr={"truncated": len(line)}), separators=(",", ":"), allow_nan=False
        ).encode("ascii")
    return line + b"\n"


def decode(line):
    """The object of a line, or None if it is not one."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def split(buffer):
    """Whole lines of a buffer, and what is left of it."""
    *whole, rest = buffer.split(b"\n")
    return [line for line in whole if line.strip()], rest
