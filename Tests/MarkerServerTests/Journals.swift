import PhaseLink
import Synchronization

/// Keeps records in memory; can be told to wait before it stores, or to fail.
actor MemoryJournal: MarkerJournal {
    struct DiskFull: Error {}

    private(set) var records: [JournalRecord] = []
    private var failures = 0
    private var isHeld = false
    private var held: [CheckedContinuation<Void, Never>] = []

    init(_ records: [JournalRecord] = []) { self.records = records }

    func hold() { isHeld = true }

    func release() {
        isHeld = false
        for waiter in held { waiter.resume() }
        held = []
    }

    func fail(times: Int) { failures = times }

    func storedIdentities() -> [(identity: MarkerIdentity, byeLast: Int64?)] {
        events.map { event in
            if case .bye(let last) = event.body { return (event.identity, last) }
            return (event.identity, nil)
        }
    }

    func append(_ new: [JournalRecord]) async throws {
        if isHeld { await withCheckedContinuation { held.append($0) } }
        if failures > 0 {
            failures -= 1
            throw DiskFull()
        }
        records += new
    }

    var events: [MarkerEvent] {
        records.compactMap { if case .line(let line) = $0 { line.event } else { nil } }
    }
}
