/// Which events of which source are stored: drops repeats, names what is missing.
package struct SourceLedger: Sendable, Equatable {
    /// The account of one source.
    package struct Account: Sendable, Equatable {
        package internal(set) var stored = SequenceSet()
        /// Highest number the source says it gave out; nil until its `bye` is seen.
        package internal(set) var byeLast: Int64?
        /// Arrivals of events that were stored already.
        package internal(set) var repeats: Int64 = 0

        /// The process ended by itself. A source without `bye` died, or still lives.
        package var byeSeen: Bool { byeLast != nil }
        /// Numbers given out as far as known.
        package var expected: Int64 { max(stored.max ?? 0, byeLast ?? 0) }
        package var missing: [ClosedRange<Int64>] { stored.missing(upTo: expected) }
        package var missingCount: Int64 { expected - stored.count }
    }

    package private(set) var accounts: [SourceIdentity: Account] = [:]

    package init() {}

    package var isComplete: Bool { accounts.values.allSatisfy { $0.missingCount == 0 } }
    package var storedCount: Int64 { accounts.values.reduce(0) { $0 + $1.stored.count } }

    package func contains(_ identity: MarkerIdentity) -> Bool {
        accounts[identity.source]?.stored.contains(identity.sequence) ?? false
    }

    /// Takes the event into account. False if it was known: a repeat, to be dropped (and acknowledged again).
    @discardableResult
    package mutating func note(_ event: MarkerEvent) -> Bool {
        var last: Int64?
        if case .bye(let number) = event.body { last = number }
        return note(event.identity, byeLast: last)
    }

    /// Same, from a journal's index alone. `byeLast` is set for a `bye` line.
    @discardableResult
    package mutating func note(_ identity: MarkerIdentity, byeLast: Int64? = nil) -> Bool {
        var account = accounts[identity.source] ?? Account()
        let isNew = account.stored.insert(identity.sequence)
        if !isNew { account.repeats += 1 }
        if let byeLast { account.byeLast = max(account.byeLast ?? 0, byeLast) }
        accounts[identity.source] = account
        return isNew
    }
}
