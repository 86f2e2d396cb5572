import Timebase
import Traces

extension MarkerReport {
    /// The report for people.
    package var text: String {
        var lines = ["\(events) events from \(sources.count) processes of \(nodes.count) nodes"]
        let missing = sources.reduce(Int64(0)) { $0 + $1.account.missingCount }
        lines.append(missing == 0 ? "nothing is missing" : "MISSING: \(missing) lines")
        for source in sources where source.account.missingCount > 0 {
            let ranges = source.account.missing.map {
                $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
            }
            lines.append("  \(source.identity.node) \(source.identity.source): \(ranges.joined(separator: ", "))")
        }
        let silent = sources.filter { !$0.account.byeSeen }
        if !silent.isEmpty {
            lines.append("\(silent.count) processes did not say bye: they died, or still run")
            lines += silent.map { "  \($0.identity.node) \($0.identity.source) \($0.program ?? "")" }
        }
        let open = nodes.flatMap(\.boots).flatMap(\.phases.unpaired)
        for mark in open {
            lines.append(
                "\(mark.identity.source.node) \(mark.kind) of \(mark.identity.source.source): "
                    + (mark.lack == .end ? "begun and never ended" : "ended, its begin is lost"))
        }
        for node in nodes { lines += Self.table(node) }
        lines += remarks.map { "note: \($0)" }
        return lines.joined(separator: "\n")
    }

    private static func table(_ node: Node) -> [String] {
        var kinds: [String: (count: Int, nanoseconds: Int64)] = [:]
        var whole: Int64 = 0
        for phase in node.boots.flatMap(\.phases.partition) {
            let length = phase.endNanoseconds - phase.beginNanoseconds
            kinds[phase.kind, default: (0, 0)].count += 1
            kinds[phase.kind, default: (0, 0)].nanoseconds += length
            whole += length
        }
        let bounds = node.boots.compactMap(\.clock?.clock.boundNanoseconds)
        let clock = bounds.max().map { "clock within \(fixed(Double($0) * 1e-6, 3)) ms" } ?? "clock not known"
        var lines = ["", "\(node.name): \(fixed(Double(whole) * 1e-9, 3)) s, \(clock)"]
        for (kind, sum) in kinds.sorted(by: { $0.value.nanoseconds > $1.value.nanoseconds }) {
            let share = whole > 0 ? 100 * Double(sum.nanoseconds) / Double(whole) : 0
            lines.append(
                "  " + padded(kind, 20) + left("\(sum.count)", 6) + left(fixed(Double(sum.nanoseconds) * 1e-9, 3), 12)
                    + " s" + left(fixed(share, 1), 7) + " %")
        }
        return lines
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func left(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(value) * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        return (value < 0 ? "-" : "") + "\(scaled / scale)."
            + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
