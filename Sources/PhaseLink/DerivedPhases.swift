import Traces

/// Phases nobody marks: the stretches between a node's marks.
struct DerivedPhases {
    /// `app_start`, `poll_out`, `await_work`.
    var phases: [Phase] = []
    /// `dataset_receive`.
    var envelopes: [Phase] = []
    var remarks: [String] = []

    private let extent: Range<Int64>

    /// - Parameter spans: closed spans of one time line.
    init(spans: [MarkedSpan], extent: Range<Int64>) {
        self.extent = extent
        let byBegin = spans.sorted { ($0.begin, $0.source) < ($1.begin, $1.source) }
        let downloads = byBegin.filter { $0.kind == PhaseKind.modelDownload }
        let uploads = byBegin.filter { $0.kind == PhaseKind.modelUpload }
        let work = byBegin.filter { PhaseKind.isWork($0.kind) && $0.kind != "sync_pattern" }
        let waits = byBegin.filter { $0.kind == PhaseKind.appWait }
        if downloads.isEmpty || uploads.isEmpty {
            betweenWork(work.filter { !$0.kind.hasPrefix("configure_") && !Self.isCoordinator($0.kind) })
        }
        for (index, download) in downloads.enumerated() {
            // One message at a time: what belongs to it begins before the next message does.
            let limit =
                index + 1 < downloads.count ? downloads[index + 1].begin : max(extent.upperBound, download.begin)
            message(
                download, next: index + 1 < downloads.count ? downloads[index + 1] : nil,
                work: Self.first(work, in: download.begin..<limit),
                upload: Self.first(uploads, in: download.begin..<limit),
                wait: Self.first(waits, in: download.begin..<limit), limit: limit)
        }
    }

    private static func first(_ spans: [MarkedSpan], in range: Range<Int64>) -> MarkedSpan? {
        let at = spans.partitioningIndex { $0.begin >= range.lowerBound }
        return at < spans.count && spans[at].begin < range.upperBound ? spans[at] : nil
    }

    private static func isCoordinator(_ kind: String) -> Bool {
        kind.hasPrefix("aggregate_") || kind == "central_eval"
    }

    private mutating func message(
        _ download: MarkedSpan, next: MarkedSpan?, work: MarkedSpan?, upload: MarkedSpan?, wait: MarkedSpan?,
        limit: Int64
    ) {
        let received = min(download.end ?? download.begin, limit)
        if download.closedBy == nil {
            if let work {
                add(PhaseKind.appStart, received, work.begin, like: work)
            } else {
                // The user function was never entered: the app died while it started, or is still starting.
                let signs = [upload?.begin, wait?.end].compactMap(\.self)
                add(
                    PhaseKind.appStart, received, min(signs.min() ?? limit, limit), like: download,
                    origin: .aborted, note: signs.isEmpty && next == nil ? "still_open" : "no_work_followed")
            }
        }
        if let work, let upload {
            add(
                PhaseKind.pollOut, min(work.end ?? limit, limit), upload.begin, like: work,
                note: work.closedBy == nil ? nil : "after_abort")
        } else if let work, upload == nil, work.end ?? limit < limit, next != nil {
            add(
                PhaseKind.pollOut, work.end ?? limit, limit, like: work, origin: .aborted, note: "no_upload_followed")
        }
        if let upload, let next, Self.sameRun(upload, next) {
            add(PhaseKind.awaitWork, upload.end ?? upload.begin, next.begin, like: nil, node: download.source.node)
        }
        if let work, work.kind == PhaseKind.queryDataset {
            var phase = Self.phase(PhaseKind.datasetReceive, download.begin, work.end ?? limit, like: work)
            if work.closedBy != nil { phase.origin = .aborted }
            envelopes.append(phase)
        }
    }

    /// Between two runs a node is idle; where a run is not named, one run is assumed.
    private static func sameRun(_ a: MarkedSpan, _ b: MarkedSpan) -> Bool {
        guard let first = a.run, let second = b.run else { return true }
        return first == second
    }

    /// Without network marks the time between two user functions of a run is one stretch that cannot be told apart.
    private mutating func betweenWork(_ work: [MarkedSpan]) {
        guard let node = work.first?.source.node else { return }
        remarks.append(
            "\(node) reports no network marks: download, app_start, poll_out, upload and await_work cannot be told "
                + "apart and stand together as await_work")
        for (before, after) in zip(work, work.dropFirst()) where Self.sameRun(before, after) {
            add(
                PhaseKind.awaitWork, before.end ?? before.begin, after.begin, like: nil, node: node,
                note: "no_network_marks")
        }
    }

    private static func phase(
        _ kind: String, _ begin: Int64, _ end: Int64, like span: MarkedSpan, origin: PhaseOrigin = .derived
    ) -> Phase {
        var phase = Phase(
            node: span.source.node, kind: kind, round: span.round.flatMap { Int(exactly: $0) },
            beginNanoseconds: begin, endNanoseconds: end, origin: origin)
        if let run = span.run { phase.attributes["run"] = run }
        return phase
    }

    private mutating func add(
        _ kind: String, _ begin: Int64, _ end: Int64, like span: MarkedSpan?, node: String = "",
        origin: PhaseOrigin = .derived, note: String? = nil
    ) {
        guard begin < end else { return }
        var phase =
            span.map { Self.phase(kind, begin, end, like: $0, origin: origin) }
            ?? Phase(node: node, kind: kind, beginNanoseconds: begin, endNanoseconds: end, origin: origin)
        if let note { phase.attributes["note"] = note }
        phases.append(phase)
    }
}
