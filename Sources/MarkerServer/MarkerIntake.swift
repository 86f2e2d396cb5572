import PhaseLink

/// Takes lines from all connections, drops repeats, and stores them durably in groups.
///
/// While one group is being stored the next gathers, so that the cost of a durable commit is shared. A caller hears
/// back when its own lines are safe; none can hold up the others for longer than one commit.
actor MarkerIntake {
    private let journal: any MarkerJournal
    private let counters: SharedCounters
    private let observer: (@Sendable (MarkerEvent) -> Void)?
    private(set) var ledger: SourceLedger
    private var waiting: [(records: [JournalRecord], done: CheckedContinuation<Void, any Error>)] = []
    private var isStoring = false

    init(
        journal: any MarkerJournal, counters: SharedCounters, observer: (@Sendable (MarkerEvent) -> Void)?
    ) async throws {
        self.journal = journal
        self.counters = counters
        self.observer = observer
        var ledger = SourceLedger()
        for (identity, byeLast) in try await journal.storedIdentities() { ledger.note(identity, byeLast: byeLast) }
        self.ledger = ledger
    }

    /// Returns when every record is durable; throws if this group could not be stored (none of it is then).
    func store(_ records: [JournalRecord]) async throws {
        guard !records.isEmpty else { return }
        try await withCheckedThrowingContinuation { done in
            waiting.append((records, done))
            if !isStoring {
                isStoring = true
                Task { await self.drain() }
            }
        }
    }

    /// Returns when nothing is on its way to storage any more.
    func finish() async {
        while isStoring { try? await Task.sleep(for: .milliseconds(5)) }
    }

    private func drain() async {
        while !waiting.isEmpty {
            let group = waiting
            waiting = []
            do {
                try await commit(group.flatMap(\.records))
                for member in group { member.done.resume() }
            } catch {
                counters.update {
                    $0.commitFailures += 1
                    $0.lastCommitFailure = "\(error)"
                }
                for member in group { member.done.resume(throwing: error) }
            }
        }
        isStoring = false
    }

    private func commit(_ records: [JournalRecord]) async throws {
        // The ledger learns of an event only when it is safe; until then the group itself tells repeats apart.
        var fresh: [JournalRecord] = []
        var inGroup: Set<MarkerIdentity> = []
        var repeats: [MarkerEvent] = []
        for record in records {
            guard case .line(let line) = record else {
                fresh.append(record)
                continue
            }
            let identity = line.event.identity
            if ledger.contains(identity) || !inGroup.insert(identity).inserted {
                repeats.append(line.event)
            } else {
                fresh.append(record)
            }
        }
        if !fresh.isEmpty { try await journal.append(fresh) }
        var stored = 0
        for case .line(let line) in fresh {
            ledger.note(line.event)
            stored += 1
            observer?(line.event)
        }
        for event in repeats { ledger.note(event) }
        counters.update {
            $0.commits += fresh.isEmpty ? 0 : 1
            $0.stored += stored
            $0.repeats += repeats.count
        }
    }
}
