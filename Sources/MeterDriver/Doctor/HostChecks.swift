import CLibUSB
import Foundation

/// The doctor's checks of the host itself.
enum HostChecks {
    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    static func clocks() -> [Finding] {
        var resolution = timespec()
        clock_getres(CLOCK_MONOTONIC, &resolution)
        let nanoseconds = resolution.tv_sec * 1_000_000_000 + resolution.tv_nsec
        let source = text("/sys/devices/system/clocksource/clocksource0/current_clocksource") ?? "unknown"
        if nanoseconds > 1_000_000 {
            return [
                Finding(
                    "clock", .failure, "CLOCK_MONOTONIC steps by \(nanoseconds) ns: too coarse to place 1 ms samples",
                    mend: "use a kernel with high-resolution timers")
            ]
        }
        if ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(source) {
            return [
                Finding(
                    "clock", .warning, "clock source \(source) is slow to read",
                    mend: "look in 'dmesg | grep -i clocksource' for why a better one was dropped")
            ]
        }
        return [Finding("clock", .ok, "CLOCK_MONOTONIC: source \(source), resolution \(nanoseconds) ns")]
    }

    static func timeSync() -> [Finding] {
        var errorMicroseconds: Int64 = 0
        guard wb_time_is_synchronised(&errorMicroseconds) == 1 else {
            return [
                Finding(
                    "time_sync", .warning,
                    "the wall clock is not synchronised: dates in runs and carbon intensities by the hour rest on it "
                        + "(samples and phases do not)",
                    mend:
                        "install and start chrony or systemd-timesyncd, and wait for 'synchronized: yes' in 'timedatectl'"
                )
            ]
        }
        return [
            Finding(
                "time_sync", .ok, "wall clock synchronised, within \(errorMicroseconds / 1000) ms by its own account")
        ]
    }

    static func disk(_ folder: String) -> [Finding] {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.int64Value else {
            return [
                Finding("disk", .failure, "folder '\(folder)' cannot be looked at", mend: "make it, or name another")
            ]
        }
        // 20 bytes a sample as received, eleven meters at 1 kHz.
        let hours = Double(free) / (11 * 1000 * 20 * 3600)
        let say = "\(free / 1_000_000_000) GB free in '\(folder)': about \(Int(hours)) h of eleven meters"
        if !FileManager.default.isWritableFile(atPath: folder) {
            return [
                Finding("disk", .failure, "folder '\(folder)' is not writable", mend: "choose another, or its owner")
            ]
        }
        if hours < 1 { return [Finding("disk", .failure, say, mend: "free some space, or record to another disk")] }
        if hours < 24 { return [Finding("disk", .warning, say, mend: "free some space before a long campaign")] }
        return [Finding("disk", .ok, say)]
    }

    static func virtualBench() -> [Finding] {
        let files = FileManager.default
        if files.fileExists(atPath: "/sys/devices/platform/vhci_hcd.0") {
            return [Finding("virtual_bench", .ok, "vhci-hcd is there: 'wattbench emulate' can plug in emulated meters")]
        }
        let release = text("/proc/sys/kernel/osrelease") ?? ""
        let list = text("/lib/modules/\(release)/modules.dep") ?? ""
        if list.contains("vhci-hcd") {
            return [
                Finding(
                    "virtual_bench", .note, "vhci-hcd is not loaded; only 'wattbench emulate' needs it",
                    mend: "modprobe vhci-hcd")
            ]
        }
        return [
            Finding(
                "virtual_bench", .note,
                "this kernel has no vhci-hcd: emulated meters cannot appear on its USB; in-process ones can",
                mend: "'scripts/guest' brings a kernel that has it")
        ]
    }

    static func solver() -> [Finding] {
        let environment = ProcessInfo.processInfo.environment
        let names = [environment["WATTBENCH_HIGHS"], "libhighs.so.1", "libhighs.so", ".tools/highs/libhighs.so"]
            .compactMap(\.self)
        for name in names {
            if let handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL) {
                dlclose(handle)
                return [Finding("solver", .ok, "HiGHS found as \(name)")]
            }
        }
        return [
            Finding(
                "solver", .note, "HiGHS is not found: plans are solved with CBC, which is slower",
                mend: "run 'scripts/setup' (or set WATTBENCH_HIGHS to libhighs.so)")
        ]
    }
}
