package import Traces

package typealias PhaseOrigin = Phase.Origin

/// What is known of one time line before its phases are made.
package struct TimeLineRecord: Sendable {
    package var timeLine: TimeLine
    /// Events of this time line, any order, no repeats.
    package var events: [MarkerEvent]
    /// Observed time, node clock, ns; nil: from the first event to the last.
    package var extent: Range<Int64>?
    /// When the connection of a source closed, node clock, ns (last time, if it connected more than once).
    package var closings: [SourceIdentity: Int64]
    /// The node booted again after this time line: nothing open survived `extent`'s end.
    package var endedByReboot: Bool

    package init(
        timeLine: TimeLine, events: [MarkerEvent], extent: Range<Int64>? = nil,
        closings: [SourceIdentity: Int64] = [:], endedByReboot: Bool = false
    ) {
        self.timeLine = timeLine
        self.events = events
        self.extent = extent
        self.closings = closings
        self.endedByReboot = endedByReboot
    }
}

/// The phases of one time line, on its own clock or, after `mapped`, on the host's.
package struct NodePhases: Sendable, Equatable {
    package var timeLine: TimeLine
    package var extent: Range<Int64>
    /// Covers `extent` without holes or overlaps, in order. A span that another one interrupts appears in pieces.
    package var partition: [Phase]
    /// `app_wait`, `dataset_receive` and whole `run`s: cover phases of the partition, never summed with them.
    package var envelopes: [Phase]
    /// Sub-spans inside a work phase (epochs, served requests): reported with their parent, never summed with it.
    package var nested: [Phase]
    package var points: [MarkerEvent]
    package var unpaired: [UnpairedMark]
    /// What the reader must know: edges the node did not report, marks outside the observed time.
    package var remarks: [String]

    /// Makes the phases of one time line.
    ///
    /// Rules: docs/markers.md. The partition covers the observed time exactly, whatever the events are.
    package init(_ record: TimeLineRecord) {
        let events = record.events.filter { $0.timeLine == record.timeLine }
        let times = events.map(\.monoNanoseconds)
        let first = times.min() ?? 0
        let extent = record.extent ?? first..<max(times.max() ?? 0, first)
        let paired = SpanPairing.pair(events)
        var spans = paired.spans
        AbortedSpans.close(&spans, record: record, events: events, observationEnd: extent.upperBound)
        let sorted = SpanSorting(spans)
        let derived = DerivedPhases(spans: sorted.flat + sorted.envelopes, extent: extent)

        timeLine = record.timeLine
        self.extent = extent
        points = paired.points
        unpaired = paired.unpaired
        remarks = derived.remarks
        partition = Partition.of(extent, node: record.timeLine.node, spans: sorted.flat.map(\.phase) + derived.phases)
        envelopes =
            (sorted.envelopes.map(\.phase) + derived.envelopes
            + sorted.flat.filter { $0.kind == PhaseKind.run }.map(\.phase))
            .sorted { ($0.beginNanoseconds, $0.kind) < ($1.beginNanoseconds, $1.kind) }
        nested = sorted.nested
        let outside = spans.count { $0.begin < extent.lowerBound || ($0.end ?? $0.begin) > extent.upperBound }
        if outside > 0 { remarks.append("\(outside) spans reach beyond the observed time and are cut there") }
    }

    /// The same phases on another clock.
    /// - Parameter clock: never decreasing; edges that were equal stay equal, so no hole or overlap can arise.
    package func mapped(by clock: (Int64) -> Int64) -> NodePhases {
        var mapped = self
        mapped.extent = clock(extent.lowerBound)..<clock(extent.upperBound)
        mapped.partition = partition.map { $0.mapped(by: clock) }.filter { $0.beginNanoseconds < $0.endNanoseconds }
        mapped.envelopes = envelopes.map { $0.mapped(by: clock) }
        mapped.nested = nested.map { $0.mapped(by: clock) }
        return mapped
    }
}

extension Phase {
    package func mapped(by clock: (Int64) -> Int64) -> Phase {
        var phase = self
        phase.beginNanoseconds = clock(beginNanoseconds)
        phase.endNanoseconds = clock(endNanoseconds)
        return phase
    }
}

extension MarkedSpan {
    /// The span as a phase. An open one ends where it begins; `AbortedSpans` leaves none open.
    var phase: Phase {
        var texts = attributes.mapValues(\.text)
        if let closedBy { texts["closed_by"] = closedBy.rawValue }
        if let run { texts["run"] = run }
        texts["source"] = source.source
        return Phase(
            node: source.node, kind: kind, round: round.flatMap { Int(exactly: $0) },
            span: span.flatMap { Int(exactly: $0) }, beginNanoseconds: begin, endNanoseconds: max(end ?? begin, begin),
            origin: origin, attributes: texts)
    }
}
