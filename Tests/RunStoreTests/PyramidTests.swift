import Testing
import Traces

@testable import RunStore

@Suite struct PyramidTests {
    /// What the pyramid must say, from all samples at once.
    private func expected(_ samples: [Sample], level: PyramidLevel) -> [SummaryBucket] {
        let groups = Dictionary(grouping: samples) { floorDivide($0.uptimeMilliseconds, level.widthMilliseconds) }
        return groups.keys.sorted().map { index in
            let members = groups[index] ?? []
            func summary(_ value: (Sample) -> Double) -> ChannelSummary {
                let values = members.map(value)
                let mean = values.reduce(0, +) / Double(values.count)
                let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                return ChannelSummary(
                    minimum: values.min() ?? .nan, mean: mean, maximum: values.max() ?? .nan,
                    standardDeviation: (squares / Double(values.count)).squareRoot())
            }
            return SummaryBucket(
                index: index, count: members.count, vbusMicrovolts: summary { Double($0.vbusMicrovolts) },
                ibusMicroamperes: summary { Double($0.ibusMicroamperes) },
                powerMicrowatts: summary { $0.rawPowerWatts * 1e6 })
        }
    }

    private func close(_ a: ChannelSummary, _ b: ChannelSummary, within: Double) -> Bool {
        abs(a.minimum - b.minimum) <= within && abs(a.mean - b.mean) <= within && abs(a.maximum - b.maximum) <= within
            && abs(a.standardDeviation - b.standardDeviation) <= within
    }

    /// A stored value is rounded to 1 of its unit; a level worked out from rounded ones may be off by 2.
    private func compare(_ found: [SummaryBucket], _ wanted: [SummaryBucket], within: Double) {
        #expect(found.map(\.index) == wanted.map(\.index))
        #expect(found.map(\.count) == wanted.map(\.count))
        for (a, b) in zip(found, wanted) {
            #expect(close(a.vbusMicrovolts, b.vbusMicrovolts, within: within))
            #expect(close(a.ibusMicroamperes, b.ibusMicroamperes, within: within))
            #expect(close(a.powerMicrowatts, b.powerMicrowatts, within: within))
        }
    }

    @Test(arguments: [false, true]) func everyLevelIsThatOfTheSamples(finished: Bool) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("run.wbrun")
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        try writer.register(testMeter("A"))
        let all = makeReplies(meter: "A", from: 985_432, samples: 60_000, seed: 11)
        // A hole in the middle: its buckets are not there, or hold fewer samples.
        let replies = Array(all.prefix(800) + all.dropFirst(900))
        for reply in replies { try writer.append(reply) }
        // A writer that was killed looks to a reader like one that has not finished.
        if finished { try await writer.finish() } else { try await writer.commitEverything() }
        let reader = try RunReader(opening: path)
        let samples = replies.flatMap(\.samples)
        for level in PyramidLevel.allCases {
            let found = try reader.buckets(of: "A", epoch: 0, level: level)
            compare(found, expected(samples, level: level), within: 2)
            let part = try reader.buckets(of: "A", epoch: 0, level: level, uptimes: 990_000...1_003_000)
            let width = level.widthMilliseconds
            #expect(part == found.filter { $0.index >= 990_000 / width && $0.index <= 1_003_000 / width })
        }
    }
}
