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

    package func append(_ records: [JournalRecord]) async throws {
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

    /// Stamps in the order of the exchange: host clock outside where the host asked. Where the node asked, the host's two
    /// stamps are received and sent, so `requestedAt` lies after `completedAt`; offset and round trip keep their formulas.
    private static func stored(_ exchange: NodeClockExchange) -> ClockExchange {
        let clock = "\(exchange.timeLine.node)/\(exchange.timeLine.boot)"
        let stamps = exchange.exchange.stamps
        return exchange.exchange.hostAsked
            ? ClockExchange(
                clock: clock, requestedAtNanoseconds: stamps.t1, receivedNanoseconds: stamps.t2,
                sentNanoseconds: stamps.t3, completedAtNanoseconds: stamps.t4)
            : ClockExchange(
                clock: clock, requestedAtNanoseconds: stamps.t3, receivedNanoseconds: stamps.t4,
                sentNanoseconds: stamps.t1, completedAtNanoseconds: stamps.t2)
    }
}
