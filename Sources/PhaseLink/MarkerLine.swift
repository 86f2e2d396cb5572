/// One line of the marker protocol, in either direction.
///
/// Wire form: one JSON object a line, UTF-8, at most `byteLimit` bytes (docs/markers.md).
package enum MarkerLine: Sendable, Equatable {
    /// Longest line, bytes, without its line break.
    package static let byteLimit = 8192

    /// `hello`, `mark`, `bye`, `hb`, `clk`, `tel`, and unknown kinds that carry a full identity.
    case event(MarkerEvent)
    /// Receiver to node: everything this connection sent of source `source` up to `sequence` is stored durably.
    case ack(source: String, sequence: Int64)
    /// Asks for the other side's clock; `t1` is the asker's.
    case ping(id: Int64, t1: Int64)
    /// Answer: `t2` at receipt, `t3` at sending, the answerer's clock; `timeLine` where the node names it.
    case pong(id: Int64, t1: Int64, t2: Int64, t3: Int64, timeLine: TimeLine?)
    /// A node asks the coordinator's clock (nodes the coordinator cannot reach) …
    case syncRequest(id: Int64, t1: Int64)
    /// … and its answer; the node then reports all four stamps in a `clk` line.
    case syncResponse(id: Int64, t1: Int64, t2: Int64, t3: Int64)
    /// First line of a connection from beyond loopback.
    case auth(token: String)
    /// Answer to a connection that is not let in, before it is closed.
    case refused(reason: String)
    /// A kind this version does not know, without identity: ignored.
    case unknown(kind: String)
}

/// Why a line was skipped.
package enum MarkerLineFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case tooLong(bytes: Int)
    case notJSON(offset: Int, reason: String)
    case notAnObject
    case field(name: String, expected: String, found: String)

    package var description: String {
        switch self {
        case .tooLong(let bytes):
            "the line has \(bytes) bytes, the limit is \(MarkerLine.byteLimit): send less in attr"
        case .notJSON(let offset, let reason): "not JSON at byte \(offset): \(reason)"
        case .notAnObject: "the line is JSON but no object {…}"
        case .field(let name, let expected, let found): "field \"\(name)\" must be \(expected), found \(found)"
        }
    }
}
