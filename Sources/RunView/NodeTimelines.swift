package import PhaseLink
package import RunStore
package import Timebase
package import TraceExport
import Traces

/// The markers of a run as phases on the host clock.
package struct NodeTimelines: Sendable {
    /// Phases with bounds, by node and time.
    package private(set) var phases: [TracePhase] = []
    /// The clock fit of each time line that has one.
    package private(set) var clocks: [TimeLine: ClockFit] = [:]
    /// What could not be placed or read, in sentences.
    package private(set) var remarks: [String] = []

    /// - Parameter extent: the host times whose partition is wanted; nil: what each node's own markers cover.
    package init(_ reader: RunReader, extent: Range<Int64>?) throws(RunStoreError) {
        var events: [TimeLine: [MarkerEvent]] = [:]
        var unreadable = 0
        try reader.forEachMarker { marker in
            if case .event(let event)? = try? MarkerLine(decoding: marker.line) {
                events[event.timeLine, default: []].append(event)
            } else {
                unreadable += 1
            }
        }
        if unreadable > 0 { remarks.append("\(unreadable) stored marker lines cannot be read and are left out.") }
        let hostBoot = try reader.metadata()["host_boot"]
        for line in events.keys { clocks[line] = try clock(of: line, in: reader, hostBoot: hostBoot) }
        let closings = try reader.closings()
        for node in Set(events.keys.map(\.node)).sorted() {
            let lines = events.keys.filter { $0.node == node }.sorted { first($0, events) < first($1, events) }
            place(node, lines: lines, events: events, closings: closings, extent: extent)
        }
    }

    private func first(_ line: TimeLine, _ events: [TimeLine: [MarkerEvent]]) -> Int64 {
        let times = events[line]?.map(\.monoNanoseconds) ?? []
        let begin = times.min() ?? 0
        return clocks[line]?.target(atSource: begin) ?? begin
    }

    private func clock(
        of line: TimeLine, in reader: RunReader, hostBoot: String?
    ) throws(RunStoreError) -> ClockFit? {
        if line.boot == hostBoot {
            // The node runs on the bench host in this boot: both read the same CLOCK_MONOTONIC.
            return ClockFit(
                exactly: .node(line.node, boot: line.boot), to: .host, offsetNanoseconds: 0, from: 0, until: .max)
        }
        let exchanges = try reader.clockExchanges(with: "\(line.node)/\(line.boot)").map {
            FourStampExchange(
                stamps: FourStamps(t1: $0.t1, t2: $0.t2, t3: $0.t3, t4: $0.t4), hostAsked: $0.hostAsked, burst: $0.burst
            )
        }
        return (try? FourStampFit(node: line.node, boot: line.boot, exchanges: exchanges))?.clock
    }

    private mutating func place(
        _ node: String, lines: [TimeLine], events: [TimeLine: [MarkerEvent]], closings: [SourceClosing],
        extent: Range<Int64>?
    ) {
        var mapped: [NodePhases] = []
        for line in lines {
            guard let fit = clocks[line] else {
                remarks.append(
                    "Node \(line.node) (boot \(line.boot)) has no clock exchange: its phases cannot be placed and are left out."
                )
                continue
            }
            var closed: [SourceIdentity: Int64] = [:]
            for closing in closings where closing.node == line.node && closing.boot == line.boot {
                closed[SourceIdentity(timeLine: line, source: closing.source)] = fit.source(
                    atTarget: closing.atNanoseconds)
            }
            let record = TimeLineRecord(
                timeLine: line, events: events[line] ?? [], closings: closed, endedByReboot: line != lines.last)
            let phases = NodePhases(record)
            remarks += phases.remarks.map { "Node \(line.node): \($0)." }
            mapped.append(phases.mapped { fit.target(atSource: $0) })
        }
        guard let begin = mapped.map(\.extent.lowerBound).min(), let end = mapped.map(\.extent.upperBound).max() else {
            return
        }
        let bound = lines.compactMap { clocks[$0]?.boundNanoseconds }.max()
        func add(_ list: [Phase], role: String) {
            phases += list.map { TracePhase(phase: $0, boundNanoseconds: bound, role: role) }
        }
        add(HostPhases.join(mapped, node: node, over: extent ?? begin..<max(begin, end)), role: "partition")
        add(mapped.flatMap(\.envelopes), role: "envelope")
        add(mapped.flatMap(\.nested), role: "nested")
    }
}
