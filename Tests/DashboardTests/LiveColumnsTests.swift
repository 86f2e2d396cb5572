import Testing
import Traces

@testable import Dashboard

@Suite struct LiveColumnsTests {
    static func block(_ uptimes: Range<Int64>, milliamperes: Int32 = 400, lateMilliseconds: Int64 = 0) -> SampleBlock {
        SampleBlock(
            meter: "VB0001", epoch: 0, requestedAtNanoseconds: 0,
            completedAtNanoseconds: (uptimes.upperBound - 1 + lateMilliseconds) * 1_000_000,
            samples: uptimes.map {
                Sample(uptimeMilliseconds: $0, vbusMicrovolts: 5_000_000, ibusMicroamperes: milliamperes * 1000)
            })
    }

    @Test func aSpikeOfOneSampleIsNotLost() {
        var columns = LiveColumns(originNanoseconds: 0)
        var block = Self.block(0..<30)
        block.samples[14].ibusMicroamperes = 3_000_000
        let done = columns.add(block)
        #expect(done.map(\.index) == [0, 1])
        #expect(done[1].highWatts == 15 && done[1].lowWatts == 2)
    }

    @Test func missingTimeIsMissingColumns() {
        var columns = LiveColumns(originNanoseconds: 0)
        _ = columns.add(Self.block(0..<20))
        let done = columns.add(Self.block(50..<61))
        #expect(done.map(\.index) == [1, 2, 3, 4, 5])
        #expect(done[1].lowWatts.isNaN && done[3].highWatts.isNaN && done[4].lowWatts == 2)
    }

    @Test func lateRepliesDoNotMoveTheTrace() {
        var columns = LiveColumns(originNanoseconds: 0)
        _ = columns.add(Self.block(0..<10))
        let done = columns.add(Self.block(10..<31, lateMilliseconds: 40))
        #expect(done.map(\.index) == [0, 1, 2])
    }

    @Test func theSignFollowsTheWiring() {
        var columns = LiveColumns(originNanoseconds: 0, sign: -1)
        let done = columns.add(Self.block(0..<11, milliamperes: -400))
        #expect(done.first?.highWatts == 2)
    }
}
