package import Traces

/// The phases of a node across its boots, on the host clock.
package enum HostPhases {
    /// Joins the time lines of one node into one partition of `extent` without holes or overlaps.
    ///
    /// Time that no boot covers (before the first event, between two boots, after the last) is `idle` with the note
    /// `not_observed`. Where clock bounds make two boots overlap, the later one begins where the earlier one ends.
    /// - Parameter lines: phases of one node, each mapped to the host clock by its own fit.
    package static func join(_ lines: [NodePhases], node: String, over extent: Range<Int64>) -> [Phase] {
        var out: [Phase] = []
        var next = extent.lowerBound
        func unobserved(_ end: Int64) {
            guard next < end else { return }
            out.append(
                Phase(
                    node: node, kind: PhaseKind.idle, beginNanoseconds: next, endNanoseconds: end, origin: .derived,
                    attributes: ["note": "not_observed"]))
            next = end
        }
        for line in lines.sorted(by: { $0.extent.lowerBound < $1.extent.lowerBound }) {
            for phase in line.partition {
                var cut = phase
                cut.beginNanoseconds = max(phase.beginNanoseconds, next)
                cut.endNanoseconds = min(phase.endNanoseconds, extent.upperBound)
                guard cut.beginNanoseconds < cut.endNanoseconds else { continue }
                unobserved(cut.beginNanoseconds)
                cut.attributes["boot"] = line.timeLine.boot
                out.append(cut)
                next = cut.endNanoseconds
            }
        }
        unobserved(extent.upperBound)
        return out
    }
}
