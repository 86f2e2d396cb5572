/// Ends spans that have no end mark at the earliest sign of death.
enum AbortedSpans {
    /// Signs: the source's connection closed, the end of the `app_wait` that covers the work, the node's next
    /// `model_download`, a new boot. Without any sign the span is cut at `observationEnd`.
    static func close(
        _ spans: inout [MarkedSpan], record: TimeLineRecord, events: [MarkerEvent], observationEnd: Int64
    ) {
        let downloads = spans.filter { $0.kind == PhaseKind.modelDownload }.map(\.begin).sorted()
        let waits = spans.filter { $0.kind == PhaseKind.appWait && $0.end != nil && $0.closedBy == nil }
        var lastHeard: [SourceIdentity: Int64] = [:]
        for event in events { lastHeard[event.source] = max(lastHeard[event.source] ?? 0, event.monoNanoseconds) }

        for index in spans.indices where spans[index].end == nil {
            let span = spans[index]
            var signs: [(at: Int64, sign: ClosingSign)] = []
            // A closed connection is a sign of death only if the source was not heard of afterwards.
            if let closed = record.closings[span.source], closed >= lastHeard[span.source] ?? 0 {
                signs.append((closed, .connectionClosed))
            }
            if PhaseKind.isWork(span.kind) || !PhaseKind.isKnown(span.kind) {
                let covering = waits.filter { $0.begin <= span.begin && ($0.end ?? 0) > span.begin }
                if let end = covering.compactMap(\.end).min() { signs.append((end, .appWaitEnd)) }
            }
            let next = downloads.partitioningIndex { $0 > span.begin }
            if next < downloads.count { signs.append((downloads[next], .nextModelDownload)) }
            if record.endedByReboot { signs.append((max(observationEnd, span.begin), .newBoot)) }
            let last = signs.min { $0.at < $1.at } ?? (max(observationEnd, span.begin), .observationEnd)
            spans[index].end = max(last.at, span.begin)
            spans[index].closedBy = last.sign
        }
    }
}

extension Array {
    /// Index of the first element for which `isAfter` holds; the array must hold all such elements at its end.
    func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
