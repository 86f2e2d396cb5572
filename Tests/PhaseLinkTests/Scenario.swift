@testable import PhaseLink

/// Writes the lines of one process the way a node does.
struct Process {
    let source: SourceIdentity
    private(set) var events: [MarkerEvent] = []
    private var nextSpan: Int64 = 1

    init(_ source: String, node: String = "edge-0", boot: String = "4987cb3ccadb") {
        self.source = SourceIdentity(node: node, boot: boot, source: source)
    }

    mutating func add(_ body: MarkerEvent.Body, at: Int64, attributes: [String: JSONValue] = [:]) {
        events.append(
            MarkerEvent(
                identity: MarkerIdentity(source: source, sequence: Int64(events.count + 1)), monoNanoseconds: at,
                body: body, attributes: attributes))
    }

    mutating func begin(_ kind: String, at: Int64, round: Int64? = nil, attributes: [String: JSONValue] = [:]) -> Int64
    {
        let span = nextSpan
        nextSpan += 1
        add(.mark(.init(edge: .begin, phase: kind, span: span, round: round)), at: at, attributes: attributes)
        return span
    }

    mutating func end(_ kind: String, span: Int64, at: Int64) {
        add(.mark(.init(edge: .end, phase: kind, span: span)), at: at)
    }

    mutating func span(
        _ kind: String, _ range: Range<Int64>, round: Int64? = nil, attributes: [String: JSONValue] = [:]
    ) {
        let span = begin(kind, at: range.lowerBound, round: round, attributes: attributes)
        end(kind, span: span, at: range.upperBound)
    }

    mutating func bye(at: Int64) { add(.bye(last: Int64(events.count + 1)), at: at) }
}
