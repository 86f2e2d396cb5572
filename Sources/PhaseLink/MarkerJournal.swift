package import Timebase

/// Where a line came from.
package enum MarkerTransport: String, Sendable, CaseIterable { case tcp, udp, file }

/// A numbered line as received: the raw text is kept, the event is what was read from it.
package struct ReceivedLine: Sendable, Equatable {
    package var event: MarkerEvent
    package var raw: String
    /// Host CLOCK_MONOTONIC, ns, when the receiver read it; for files, when it was imported.
    package var receivedAtNanoseconds: Int64
    package var transport: MarkerTransport

    package init(event: MarkerEvent, raw: String, receivedAtNanoseconds: Int64, transport: MarkerTransport) {
        self.event = event
        self.raw = raw
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.transport = transport
    }
}

/// A clock exchange with raw stamps, kept so that the fit can be made again.
package struct NodeClockExchange: Sendable, Equatable {
    package var timeLine: TimeLine
    package var exchange: FourStampExchange

    package init(timeLine: TimeLine, exchange: FourStampExchange) {
        self.timeLine = timeLine
        self.exchange = exchange
    }
}

/// A source's connection closed: a sign that spans without end are over.
package struct ConnectionClosing: Sendable, Equatable {
    package var source: SourceIdentity
    /// Host CLOCK_MONOTONIC, ns.
    package var atNanoseconds: Int64

    package init(source: SourceIdentity, atNanoseconds: Int64) {
        self.source = source
        self.atNanoseconds = atNanoseconds
    }
}

/// What a receiver hands to storage.
package enum JournalRecord: Sendable, Equatable {
    case line(ReceivedLine)
    case clock(NodeClockExchange)
    case closing(ConnectionClosing)
}

/// Durable storage behind a marker receiver.
package protocol MarkerJournal: Sendable {
    /// Identities of every line stored so far, and for `bye` lines the number they name as last; read once at start.
    func storedIdentities() async throws -> [(identity: MarkerIdentity, byeLast: Int64?)]
    /// Stores the records, in order, all or none, and returns only when they would survive a power cut. A line
    /// whose identity is stored already is skipped without error.
    func append(_ records: [JournalRecord]) async throws
}
