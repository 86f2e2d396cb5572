import Traces

/// A stretch that a node marked: a begin, and its end if one came.
package struct MarkedSpan: Sendable, Equatable {
    package var source: SourceIdentity
    package var kind: String
    package var span: Int64?
    package var round: Int64?
    /// Run named by the lines, or by Flower's `run_id` attribute.
    package var run: String?
    /// Node clock, ns.
    package var begin: Int64
    /// Nil while open.
    package var end: Int64?
    /// Set when the end is not the node's own mark: which sign closed it.
    package var closedBy: ClosingSign?
    /// Attributes of begin; those of end win over them.
    package var attributes: [String: JSONValue]

    package var origin: PhaseOrigin { closedBy == nil ? .marked : .aborted }
}

/// What ended a span that has no end mark.
package enum ClosingSign: String, Sendable {
    case connectionClosed = "connection_closed"
    case appWaitEnd = "app_wait_end"
    case nextModelDownload = "next_model_download"
    case newBoot = "new_boot"
    /// The same span id began again.
    case reopened
    /// Nothing says that it ended: it is cut where the observed time ends.
    case observationEnd = "observation_end"
}

/// A begin without end, or an end without begin, named.
package struct UnpairedMark: Sendable, Equatable, Error {
    package enum Lack: String, Sendable { case begin, end }
    package var lack: Lack
    package var identity: MarkerIdentity
    package var kind: String
    package var span: Int64?
    package var round: Int64?
    /// Node clock of the mark that is there, ns.
    package var atNanoseconds: Int64
}

/// Joins begin and end marks of each source.
package enum SpanPairing {
    package struct Outcome: Sendable, Equatable {
        /// Sorted by begin. Spans without end have `end == nil`.
        package var spans: [MarkedSpan] = []
        package var unpaired: [UnpairedMark] = []
        package var points: [MarkerEvent] = []
    }

    private struct Key: Hashable {
        var source: SourceIdentity
        var span: Int64?
        /// Pairs by kind only where the sender gives no span ids.
        var kind: String?
    }

    /// - Parameter events: marks of one time line in any order, without repeats.
    package static func pair(_ events: [MarkerEvent]) -> Outcome {
        var outcome = Outcome()
        var open: [Key: (span: MarkedSpan, identity: MarkerIdentity)] = [:]
        let ordered = events.filter { $0.mark != nil }.sorted {
            // Numbers order a source's own lines; between sources the order does not matter.
            $0.identity < $1.identity
        }
        for event in ordered {
            guard let mark = event.mark else { continue }
            let key = Key(source: event.source, span: mark.span, kind: mark.span == nil ? mark.phase : nil)
            switch mark.edge {
            case .point: outcome.points.append(event)
            case .begin:
                if let (opened, identity) = open[key] {
                    var previous = opened
                    outcome.unpaired.append(lacksEnd(previous, identity))
                    previous.end = max(previous.begin, event.monoNanoseconds)
                    previous.closedBy = .reopened
                    outcome.spans.append(previous)
                }
                open[key] = (begun(by: event, mark), event.identity)
            case .end:
                guard var span = open[key]?.span, span.kind == mark.phase, event.monoNanoseconds >= span.begin else {
                    outcome.unpaired.append(
                        UnpairedMark(
                            lack: .begin, identity: event.identity, kind: mark.phase, span: mark.span,
                            round: mark.round, atNanoseconds: event.monoNanoseconds))
                    continue
                }
                open[key] = nil
                span.end = event.monoNanoseconds
                span.round = span.round ?? mark.round
                span.run = span.run ?? run(of: event)
                span.attributes.merge(event.attributes) { $1 }
                outcome.spans.append(span)
            }
        }
        for (span, identity) in open.values {
            outcome.unpaired.append(lacksEnd(span, identity))
            outcome.spans.append(span)
        }
        outcome.spans.sort {
            ($0.begin, $0.source, $0.span ?? 0, $0.kind) < ($1.begin, $1.source, $1.span ?? 0, $1.kind)
        }
        outcome.unpaired.sort { ($0.atNanoseconds, $0.identity) < ($1.atNanoseconds, $1.identity) }
        outcome.points.sort { ($0.monoNanoseconds, $0.identity) < ($1.monoNanoseconds, $1.identity) }
        return outcome
    }

    private static func begun(by event: MarkerEvent, _ mark: MarkerEvent.Mark) -> MarkedSpan {
        MarkedSpan(
            source: event.source, kind: mark.phase, span: mark.span, round: mark.round, run: run(of: event),
            begin: event.monoNanoseconds, attributes: event.attributes)
    }

    private static func run(of event: MarkerEvent) -> String? {
        event.attributes["run_id"]?.text ?? event.run
    }

    private static func lacksEnd(_ span: MarkedSpan, _ identity: MarkerIdentity) -> UnpairedMark {
        UnpairedMark(
            lack: .end, identity: identity, kind: span.kind, span: span.span, round: span.round,
            atNanoseconds: span.begin)
    }
}
