import Traces

/// Shares out a stretch of time among overlapping phases: every instant belongs to exactly one.
enum Partition {
    private struct Candidate {
        var phase: Phase
        var rank: Int
        var ordinal: Int

        func winsOver(_ other: Candidate) -> Bool {
            (rank, phase.beginNanoseconds, ordinal) < (other.rank, other.phase.beginNanoseconds, other.ordinal)
        }
    }

    /// The lowest rank wins; within a rank what began first, then what stands first in `spans`. What nothing covers is
    /// `idle`.
    static func of(_ extent: Range<Int64>, node: String, spans: [Phase]) -> [Phase] {
        guard !extent.isEmpty else { return [] }
        var candidates: [Candidate] = []
        for (ordinal, span) in spans.enumerated() {
            var cut = span
            cut.beginNanoseconds = max(span.beginNanoseconds, extent.lowerBound)
            cut.endNanoseconds = min(span.endNanoseconds, extent.upperBound)
            guard cut.beginNanoseconds < cut.endNanoseconds else { continue }
            candidates.append(Candidate(phase: cut, rank: PhaseKind.rank(span.kind), ordinal: ordinal))
        }
        candidates.sort { ($0.phase.beginNanoseconds, $0.ordinal) < ($1.phase.beginNanoseconds, $1.ordinal) }
        var edges = Set([extent.lowerBound, extent.upperBound])
        for candidate in candidates {
            edges.insert(candidate.phase.beginNanoseconds)
            edges.insert(candidate.phase.endNanoseconds)
        }

        var pieces: [(ordinal: Int?, phase: Phase)] = []
        var waiting = candidates[...]
        var running: [Candidate] = []
        let sorted = edges.sorted()
        for (begin, end) in zip(sorted, sorted.dropFirst()) {
            running.removeAll { $0.phase.endNanoseconds <= begin }
            while let candidate = waiting.first, candidate.phase.beginNanoseconds <= begin {
                running.append(candidate)
                waiting = waiting.dropFirst()
            }
            let winner = running.min { $0.winsOver($1) }
            if let last = pieces.last, last.ordinal == winner?.ordinal {
                pieces[pieces.count - 1].phase.endNanoseconds = end
                continue
            }
            var phase =
                winner?.phase
                ?? Phase(
                    node: node, kind: PhaseKind.idle, beginNanoseconds: begin, endNanoseconds: end, origin: .derived)
            phase.beginNanoseconds = begin
            phase.endNanoseconds = end
            pieces.append((winner?.ordinal, phase))
        }
        return pieces.map(\.phase)
    }
}
