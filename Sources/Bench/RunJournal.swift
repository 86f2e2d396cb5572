package import PhaseLink
package import RunStore
import Timebase
import Traces

/// Lets marker lines end in the run file: a line is acknowledged only after the file would survive a power cut.
package struct RunJournal: MarkerJournal {
    private let writer: RunWriter
    private let stored: [(identity: MarkerIdentity, byeLast: Int64?)]

    /// - Parameter stored: identities already in the file, where a recording goes on after a stop.
    package init(writer: RunWriter, stored: [(identity: MarkerIdentity, byeLast: Int64?)] = []) {
        self.writer = writer
        self.stored = stored
    }

    package func storedIdentities() async throws -> [(identity: MarkerIdentity, byeLast: Int64?)] { stored }

    package func append(_ records: [PhaseLink.MarkerRecord]) async throws {
        for record in records {
            switch record {
            case .line(let line): try writer.append(Self.stored(line))
            case .clock(let exchange): try writer.append(Self.stored(exchange))
            case .closing(let closing):
                try writer.append(
                    RunEvent(
                        atNanoseconds: closing.atNanoseconds, severity: .info, source: closing.source.timeLine.node,
                        kind: Self.closingKind,
                        text: "boot=\(closing.source.timeLine.boot) src=\(closing.source.source)"))
            }
        }
        try await writer.commitNow()
    }

    /// Kind of the events that tell that a source's connection closed; the text is `boot=… src=…`.
    package static let closingKind = "marker_connection_closed"

    private static func stored(_ line: ReceivedLine) -> RunStore.MarkerRecord {
        let identity = line.event.identity
        return RunStore.MarkerRecord(
            identity: .init(
                node: identity.source.timeLine.node, boot: identity.source.timeLine.boot,
                source: identity.source.source,
                sequence: identity.sequence), receivedAtNanoseconds: line.receivedAtNanoseconds,
            transport: line.transport.rawValue, line: line.raw)
    }

    /// Host stamps come first and last, whoever asked.
    private static func stored(_ exchange: PhaseLink.ClockExchange) -> RunStore.ClockExchange {
        let clock = "\(exchange.timeLine.node)/\(exchange.timeLine.boot)"
        let s = exchange.stamps
        return exchange.hostAsked
            ? RunStore.ClockExchange(
                clock: clock, requestedAtNanoseconds: s.t1, receivedNanoseconds: s.t2, sentNanoseconds: s.t3,
                completedAtNanoseconds: s.t4)
            : RunStore.ClockExchange(
                clock: clock, requestedAtNanoseconds: s.t3, receivedNanoseconds: s.t4, sentNanoseconds: s.t1,
                completedAtNanoseconds: s.t2)
    }
}
