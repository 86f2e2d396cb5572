/// A stretch of one node's time, `[begin, end)`, of one kind of the phase taxonomy.
package struct Phase: Sendable, Equatable {
    package enum Origin: String, Sendable {
        /// The node marked both edges.
        case marked
        /// The harness derived it from neighbouring marks.
        case derived
        /// It began and never ended by itself; the end is the earliest sign of death.
        case aborted
    }

    package var node: String
    /// Kind as in the marker protocol: `local_train`, `model_upload`, `idle`, …
    package var kind: String
    /// Round, where the marker knew it.
    package var round: Int?
    /// Span id of the marker that opened it, where marked.
    package var span: Int?
    /// Edges, ns, on the clock named by the collection that holds the phase (host CLOCK_MONOTONIC after a clock fit).
    package var beginNanoseconds: Int64
    package var endNanoseconds: Int64
    package var origin: Origin
    /// Free attributes of begin and end, as text.
    package var attributes: [String: String]

    package init(
        node: String, kind: String, round: Int? = nil, span: Int? = nil, beginNanoseconds: Int64,
        endNanoseconds: Int64, origin: Origin = .marked, attributes: [String: String] = [:]
    ) {
        self.node = node
        self.kind = kind
        self.round = round
        self.span = span
        self.beginNanoseconds = beginNanoseconds
        self.endNanoseconds = endNanoseconds
        self.origin = origin
        self.attributes = attributes
    }

    /// Length, s.
    package var durationSeconds: Double { Double(endNanoseconds - beginNanoseconds) * 1e-9 }
}

/// Something that happened and must be told: a reconnect, a reject, a state change, an operator's note.
package struct RunEvent: Sendable, Equatable {
    package enum Severity: String, Sendable { case info, warning, error }

    /// Host CLOCK_MONOTONIC, ns.
    package var atNanoseconds: Int64
    package var severity: Severity
    /// Who says it: a meter's serial, a board's name, a room.
    package var source: String
    /// Short stable word for programs: `session_lost`, `reply_rejected`, `board_state`.
    package var kind: String
    /// One sentence for a technician.
    package var text: String

    package init(atNanoseconds: Int64, severity: Severity, source: String, kind: String, text: String) {
        self.atNanoseconds = atNanoseconds
        self.severity = severity
        self.source = source
        self.kind = kind
        self.text = text
    }
}
