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
                    SourceClosing(
                        node: closing.source.timeLine.node, boot: closing.source.timeLine.boot,
                        source: closing.source.source, atNanoseconds: closing.atNanoseconds))
            }
        }
        try await writer.commitNow()
    }

    private static func stored(_ line: ReceivedLine) -> RunStore.MarkerRecord {
        let identity = line.event.identity
        return RunStore.MarkerRecord(
            identity: .init(
                node: identity.source.timeLine.node, boot: identity.source.timeLine.boot,
                source: identity.source.source,
                sequence: identity.sequence), receivedAtNanoseconds: line.receivedAtNanoseconds,
            transport: line.transport.rawValue, line: line.raw)
    }

    private static func stored(_ record: NodeClockExchange) -> ClockExchange {
        let stamps = record.exchange.stamps
        return ClockExchange(
            clock: "\(record.timeLine.node)/\(record.timeLine.boot)", hostAsked: record.exchange.hostAsked,
            burst: record.exchange.burst, t1: stamps.t1, t2: stamps.t2, t3: stamps.t3, t4: stamps.t4)
    }
}
