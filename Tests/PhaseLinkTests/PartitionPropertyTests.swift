import Testing
import Traces

@testable import PhaseLink

@Suite struct PartitionPropertyTests {
    private static let kinds = [
        "local_train", "evaluate", "query_dataset", "query_serve", "model_upload", "model_download", "app_wait",
        "epoch",
        "sync_pattern", "run", "distribute", "my_own",
    ]

    /// Random processes with crashes, lost lines, overlaps and stamps far above 2^53.
    private func events(_ random: inout SeededGenerator) -> [MarkerEvent] {
        let origin = Int64.random(in: 0...(1 << 60), using: &random)
        var events: [MarkerEvent] = []
        for process in 0..<Int.random(in: 1...5, using: &random) {
            var writer = Process("\(process)-x")
            var now = origin + Int64.random(in: 0...100, using: &random)
            var open: [(String, Int64)] = []
            for _ in 0..<Int.random(in: 0...30, using: &random) {
                now += Int64.random(in: 0...20, using: &random)
                if Bool.random(using: &random), let (kind, span) = open.popLast() {
                    writer.end(kind, span: span, at: now)
                } else if let kind = Self.kinds.randomElement(using: &random) {
                    open.append((kind, writer.begin(kind, at: now, round: Int64.random(in: 0...9, using: &random))))
                }
            }
            if Bool.random(using: &random) { writer.bye(at: now) }
            events += writer.events.filter { _ in Int.random(in: 0..<12, using: &random) > 0 }
        }
        return events
    }

    private func expectExactCover(_ phases: [Phase], of extent: Range<Int64>) {
        guard !extent.isEmpty else {
            #expect(phases.isEmpty)
            return
        }
        #expect(phases.first?.beginNanoseconds == extent.lowerBound)
        #expect(phases.last?.endNanoseconds == extent.upperBound)
        #expect(phases.allSatisfy { $0.beginNanoseconds < $0.endNanoseconds })
        #expect(zip(phases, phases.dropFirst()).allSatisfy { $0.endNanoseconds == $1.beginNanoseconds })
        let sum = phases.reduce(Int64(0)) { $0 + ($1.endNanoseconds - $1.beginNanoseconds) }
        #expect(sum == extent.upperBound - extent.lowerBound)
        #expect(phases.allSatisfy { !PhaseKind.isEnvelope($0.kind) })
    }

    @Test func anyEventStreamIsSharedOutExactly() {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<800 {
            let stream = events(&random)
            let boot = TimeLine(node: "edge-0", boot: "4987cb3ccadb")
            let stamps = stream.map(\.monoNanoseconds)
            var extent: Range<Int64>?
            if Bool.random(using: &random), let low = stamps.min(), let high = stamps.max() {
                let begin = max(0, low + Int64.random(in: -50...50, using: &random))
                extent = begin..<max(begin, high + Int64.random(in: -50...50, using: &random))
            }
            var closings: [SourceIdentity: Int64] = [:]
            for event in stream where Int.random(in: 0..<40, using: &random) == 0 {
                closings[event.source] = event.monoNanoseconds + Int64.random(in: -5...200, using: &random)
            }
            let record = TimeLineRecord(
                timeLine: boot, events: stream, extent: extent, closings: closings,
                endedByReboot: Bool.random(using: &random))
            let made = NodePhases(record)
            expectExactCover(made.partition, of: made.extent)

            // Arrival order and repeats must not matter: what is stored is a set.
            var again = record
            var ledger = SourceLedger()
            again.events = (stream + stream).shuffled(using: &random).filter { ledger.note($0) }
            #expect(NodePhases(again) == made)

            // On another clock (any monotone map, flat stretches included) the cover stays exact.
            let mapped = made.mapped { ($0 - made.extent.lowerBound) / 3 * 2 }
            expectExactCover(mapped.partition, of: mapped.extent)
            let whole = (mapped.extent.lowerBound - 7)..<(mapped.extent.upperBound + 9)
            expectExactCover(HostPhases.join([mapped], node: "edge-0", over: whole), of: whole)
        }
    }

    @Test func everyInstantBelongsToTheRunningSpanOfLowestRank() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            let spans = (0..<Int.random(in: 0...12, using: &random)).map { _ -> Phase in
                let begin = Int64.random(in: -5...60, using: &random)
                return Phase(
                    node: "n",
                    kind: Self.kinds.filter { !PhaseKind.isEnvelope($0) }.randomElement(using: &random) ?? "",
                    beginNanoseconds: begin, endNanoseconds: begin + Int64.random(in: 0...30, using: &random))
            }
            let parts = Partition.of(0..<60, node: "n", spans: spans)
            for instant in 0..<60 as Range<Int64> {
                let running = spans.filter { $0.beginNanoseconds <= instant && instant < $0.endNanoseconds }
                let winner = parts.first { $0.beginNanoseconds <= instant && instant < $0.endNanoseconds }
                let best = running.map { PhaseKind.rank($0.kind) }.min() ?? PhaseKind.rank("idle")
                #expect(winner.map { PhaseKind.rank($0.kind) } == best)
            }
        }
    }
}
