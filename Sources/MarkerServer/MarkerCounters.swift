import Synchronization

/// What a marker receiver counted since it started.
package struct MarkerCounters: Sendable, Equatable {
    package var connections = 0
    package var openConnections = 0
    /// Peers without the right token, and connections beyond the limit.
    package var refused = 0
    /// Events stored durably by this receiver, and arrivals that were stored before.
    package var stored = 0
    package var repeats = 0
    /// Lines of unknown kind without identity, and lines that only the other side should send.
    package var ignored = 0
    package var oversized = 0
    package var unparsable = 0
    /// The newest reason why a line was skipped.
    package var lastSkipReason: String?
    package var datagrams = 0
    /// Datagrams dropped because storage did not keep up.
    package var datagramsDropped = 0
    package var commits = 0
    package var commitFailures = 0
    /// The newest reason why storing failed.
    package var lastCommitFailure: String?
    package var acksSent = 0
    package var pingsSent = 0
    package var clockExchanges = 0
}

/// The counters, shared by the receiver's event loops.
final class SharedCounters: Sendable {
    private let state = Mutex(MarkerCounters())

    func update(_ change: (inout MarkerCounters) -> Void) { state.withLock { change(&$0) } }
    var snapshot: MarkerCounters { state.withLock { $0 } }
}
