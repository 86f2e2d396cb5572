"""What a board says about itself: temperature, frequency, voltage, load, bytes, throttle flags. Only what can be read
is reported."""

import glob
import os
import shutil
import subprocess

VCGENCMD_EVERY = 10


def _read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


class Telemetry:
    """Reads once a call. `root` stands before /proc and /sys, for tests."""

    def __init__(self, root="", vcgencmd=None):
        self._root = root
        self._vcgencmd = vcgencmd if vcgencmd is not None else shutil.which("vcgencmd")
        self._last_cpu = {}
        self._calls = 0

    def read(self):
        readings = {
            "soc_temp_c": self._temperature(), "cpu_mhz": self._frequency(), "util_sum": self._utilisation(),
            "throttled": self._throttled(),
        }
        readings.update(self._bytes())
        # A process a second would itself be load: the slow-moving voltage is asked for every tenth time.
        if self._vcgencmd and self._calls % VCGENCMD_EVERY == 0:
            readings["vcore_v"] = self._ask("measure_volts", "core", strip="V")
            if readings["throttled"] is None:
                flags = self._ask_text("get_throttled")
                readings["throttled"] = int(flags, 16) if flags and flags.startswith("0x") else None
        self._calls += 1
        return {name: value for name, value in readings.items() if value is not None}

    def _temperature(self):
        value = _number(_read(self._root + "/sys/class/thermal/thermal_zone0/temp"))
        return None if value is None else value / 1000

    def _frequency(self):
        value = _number(_read(self._root + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"))
        if value is not None:
            return value / 1000
        for line in (_read(self._root + "/proc/cpuinfo") or "").splitlines():
            if line.startswith("cpu MHz"):
                return _number(line.split(":")[1])
        return None

    def _throttled(self):
        for path in glob.glob(self._root + "/sys/devices/platform/soc*/soc*firmware/get_throttled"):
            try:
                return int((_read(path) or "").strip(), 16)
            except ValueError:
                return None
        return None

    def _utilisation(self):
        """Busy cores since the last call: 0 to the number of cores."""
        total = 0.0
        seen = False
        for line in (_read(self._root + "/proc/stat") or "").splitlines():
            fields = line.split()
            if not fields or not fields[0].startswith("cpu") or fields[0] == "cpu":
                continue
            ticks = [int(field) for field in fields[1:9]]
            now = (sum(ticks), ticks[3] + ticks[4])
            before = self._last_cpu.get(fields[0])
            self._last_cpu[fields[0]] = now
            if before and now[0] > before[0]:
                seen = True
                total += 1 - (now[1] - before[1]) / (now[0] - before[0])
        return round(total, 4) if seen else None

    def _bytes(self):
        received = sent = 0
        seen = False
        for line in (_read(self._root + "/proc/net/dev") or "").splitlines()[2:]:
            name, _, rest = line.partition(":")
            fields = rest.split()
            if name.strip() == "lo" or len(fields) < 9:
                continue
            seen = True
            received += int(fields[0])
            sent += int(fields[8])
        return {"rx_bytes": received, "tx_bytes": sent} if seen else {}

    def _ask_text(self, *words):
        try:
            done = subprocess.run(
                [self._vcgencmd, *words], capture_output=True, text=True, timeout=1, check=True,
                env={"PATH": os.environ.get("PATH", "")},
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip().partition("=")[2]

    def _ask(self, *words, strip):
        text = self._ask_text(*words)
        return _number(text.rstrip(strip)) if text else None
