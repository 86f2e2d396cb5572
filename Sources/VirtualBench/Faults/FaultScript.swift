import Foundation
import Yams

/// Reads a fault script (YAML, or JSON, which YAML contains):
///
///     faults:
///       - kind: lost_reply          # any kind of FaultKind
///         meter: VB0003             # or board: pi03, or node: edge-3; left out = every one
///         at_s: 12.5                # seconds after the bench starts …
///       - kind: reject_start
///         on: start_graph           # … or at an event of a meter: open, connect, disconnect, auth, start_graph,
///         nth: 2                    #   stop_graph, get_data, memory_read; the second one
///         count: 1                  # how many times in a row
///       - kind: unplug
///         meter: VB0001
///         at_s: 20
///         duration_s: 3
///         uptime: restart           # or keep
package enum FaultScript {
    private static let keys: Set<String> = [
        "kind", "meter", "board", "node", "at_s", "on", "nth", "count", "duration_s", "delay_ms", "samples", "volts",
        "uptime",
    ]

    /// - Throws: `file` if it cannot be read, `faultScript` with line and reason if it is not understood.
    package static func load(_ path: String) throws(VirtualBenchFailure) -> [Fault] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .file(path: path, reason: "cannot be read. Give the path of a fault script (YAML or JSON).")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw .file(path: path, reason: "is not UTF-8 text.")
        }
        return try parse(text, file: path)
    }

    package static func parse(_ text: String, file: String) throws(VirtualBenchFailure) -> [Fault] {
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch {
            throw .faultScript(file: file, line: nil, reason: "not YAML: \(error)")
        }
        guard let root else { return [] }
        var list = root
        if let mapping = root.mapping {
            for (key, _) in mapping where key.string != "faults" {
                throw .faultScript(
                    file: file, line: key.mark?.line, reason: "unknown key '\(key.string ?? "?")'; expected 'faults'")
            }
            guard let faults = mapping["faults"] else {
                throw .faultScript(file: file, line: 1, reason: "the key 'faults' is missing")
            }
            list = faults
        }
        guard let sequence = list.sequence else {
            throw .faultScript(file: file, line: list.mark?.line, reason: "expected a list of faults")
        }
        var out: [Fault] = []
        for node in sequence { out.append(try fault(node, file: file)) }
        return out
    }

    private static func fault(_ node: Node, file: String) throws(VirtualBenchFailure) -> Fault {
        guard let mapping = node.mapping else {
            throw .faultScript(file: file, line: node.mark?.line, reason: "expected a fault such as {kind: lost_reply}")
        }
        for (key, _) in mapping where !keys.contains(key.string ?? "") {
            throw .faultScript(
                file: file, line: key.mark?.line,
                reason: "unknown key '\(key.string ?? "?")'; known: \(keys.sorted().joined(separator: ", "))")
        }
        func failure(_ key: String, _ reason: String) -> VirtualBenchFailure {
            .faultScript(file: file, line: (mapping[key] ?? node).mark?.line, reason: "\(key): \(reason)")
        }
        func word<W: RawRepresentable & CaseIterable>(_ key: String, _: W.Type) throws(VirtualBenchFailure) -> W?
        where W.RawValue == String {
            guard let value = mapping[key] else { return nil }
            guard let found = value.string.flatMap(W.init(rawValue:)) else {
                let known = W.allCases.map(\.rawValue).joined(separator: ", ")
                throw failure(key, "'\(value.string ?? "?")' is not one of \(known)")
            }
            return found
        }
        func number(_ key: String, atLeast least: Double) throws(VirtualBenchFailure) -> Double? {
            guard let value = mapping[key] else { return nil }
            guard let number = value.float ?? value.int.map(Double.init), number.isFinite, number >= least else {
                throw failure(key, "expected a number from \(least) up, found '\(value.string ?? "?")'")
            }
            return number
        }
        func whole(_ key: String) throws(VirtualBenchFailure) -> Int? {
            guard let value = mapping[key] else { return nil }
            guard let number = value.int, number >= 1, number <= 1_000_000 else {
                throw failure(key, "expected a whole number from 1 up, found '\(value.string ?? "?")'")
            }
            return number
        }
        guard let kind = try word("kind", FaultKind.self) else { throw failure("kind", "missing") }
        var fault = Fault(kind)
        for (key, target) in [("meter", FaultKind.Target.meter), ("board", .board), ("node", .node)] {
            guard let value = mapping[key] else { continue }
            guard kind.target == target else {
                throw failure(key, "\(kind.rawValue) happens to a \(kind.target), not to a \(key)")
            }
            fault.target = value.string
        }
        fault.atSeconds = try number("at_s", atLeast: 0)
        fault.on = try word("on", FaultTrigger.self)
        if fault.on != nil, fault.atSeconds != nil { throw failure("on", "give either at_s or on, not both") }
        if fault.on != nil, kind.target != .meter { throw failure("on", "only meters have such events; use at_s") }
        fault.nth = try whole("nth") ?? fault.nth
        fault.count = try whole("count") ?? fault.count
        fault.durationSeconds = try number("duration_s", atLeast: 0) ?? fault.durationSeconds
        fault.delayMilliseconds = try number("delay_ms", atLeast: 0) ?? fault.delayMilliseconds
        fault.samples = try whole("samples") ?? fault.samples
        fault.volts = try number("volts", atLeast: 0) ?? fault.volts
        if let uptime = mapping["uptime"] {
            guard let text = uptime.string, ["keep", "restart"].contains(text) else {
                throw failure("uptime", "expected keep or restart")
            }
            fault.keepsUptime = text == "keep"
        }
        return fault
    }
}
