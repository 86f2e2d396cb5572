import Traces

/// Sorts closed spans into those that share out a node's time, envelopes, and sub-spans inside a work span.
struct SpanSorting {
    var flat: [MarkedSpan] = []
    var envelopes: [MarkedSpan] = []
    var nested: [Phase] = []

    /// - Parameter spans: closed, sorted by begin.
    ///
    /// A kind outside the taxonomy is nested if a work span (or another such span) of the node runs when it begins;
    /// otherwise it is the user's own phase and ranks as work.
    init(_ spans: [MarkedSpan]) {
        // Longest first among equal begins: the outer one of two spans that begin together is the parent.
        let ordered = spans.sorted {
            let known = (PhaseKind.isKnown($0.kind) ? 0 : 1, PhaseKind.isKnown($1.kind) ? 0 : 1)
            return ($0.begin, known.0, -($0.end ?? 0), $0.source) < ($1.begin, known.1, -($1.end ?? 0), $1.source)
        }
        var running: [MarkedSpan] = []
        for span in ordered {
            running.removeAll { ($0.end ?? $0.begin) <= span.begin }
            if PhaseKind.isEnvelope(span.kind) {
                envelopes.append(span)
            } else if PhaseKind.isKnown(span.kind) {
                flat.append(span)
                if PhaseKind.isWork(span.kind) { running.append(span) }
            } else if let parent = running.first(where: { $0.source == span.source }) ?? running.first {
                var phase = span.phase
                phase.attributes["parent"] = parent.kind
                if let id = parent.span { phase.attributes["parent_span"] = String(id) }
                nested.append(phase)
            } else {
                flat.append(span)
                running.append(span)
            }
        }
    }
}
