import MeterProtocol

/// The meter's ring of 63 samples: a full ring loses its oldest.
struct SampleRing: Sendable {
    struct Entry: Sendable {
        var sample: QueueSample
        var truth: SampleTruth
    }

    private var entries: [Entry] = []
    private var head = 0

    init() { entries.reserveCapacity(4 * QueueSample.ringDepth) }

    var count: Int { entries.count - head }
    var newest: Entry? { count > 0 ? entries.last : nil }

    /// Returns the entry that was overwritten, if any.
    mutating func push(_ entry: Entry) -> Entry? {
        if head >= 3 * QueueSample.ringDepth {
            entries.removeFirst(head)
            head = 0
        }
        entries.append(entry)
        guard count > QueueSample.ringDepth else { return nil }
        head += 1
        return entries[head - 1]
    }

    mutating func takeAll() -> ArraySlice<Entry> {
        let all = entries[head...]
        entries = []
        entries.reserveCapacity(4 * QueueSample.ringDepth)
        head = 0
        return all
    }
}
