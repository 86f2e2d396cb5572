import Foundation

/// Names a process so that a later process with the same number is not taken for it.
struct ProcessMark: Equatable {
    var processID: Int32
    /// Start time in clock ticks since boot, as text; empty where /proc does not tell.
    var start: String
    /// Kernel boot id.
    var boot: String

    static var own: ProcessMark {
        let processID = getpid()
        return ProcessMark(processID: processID, start: startTime(of: processID), boot: bootID)
    }

    var isAlive: Bool { self != ProcessMark.own && boot == Self.bootID && start == Self.startTime(of: processID) }

    static var bootID: String {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    /// Field 22 of /proc/PID/stat; `none` if there is no such process (or it is a zombie).
    private static func startTime(of processID: Int32) -> String {
        guard let text = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return "none" }
        // After the name in brackets come state (field 3), …, start time (field 22).
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return "none" }
        return String(fields[19])
    }
}
