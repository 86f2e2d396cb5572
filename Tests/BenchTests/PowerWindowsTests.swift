import Testing
import Traces

@testable import Bench

@Suite struct PowerWindowsTests {
    static func block(_ uptimes: Range<Int64>, milliamperes: Int32, epoch: Int = 0) -> SampleBlock {
        SampleBlock(
            meter: "VB0001", epoch: epoch, requestedAtNanoseconds: 0,
            completedAtNanoseconds: uptimes.upperBound * 1_000_000,
            samples: uptimes.map {
                Sample(uptimeMilliseconds: $0, vbusMicrovolts: 5_000_000, ibusMicroamperes: milliamperes * 1000)
            })
    }

    @Test func windowsFollowTheMetersClock() {
        var windows = PowerWindows()
        #expect(windows.add(Self.block(1000..<1200, milliamperes: 400)).isEmpty)
        let done = windows.add(Self.block(1200..<1260, milliamperes: 400))
        #expect(done.count == 1)
        #expect(abs((done.first?.meanWatts ?? 0) - 2) < 1e-12)
        #expect(done.first?.lengthNanoseconds == 250_000_000)
    }

    @Test func aWindowThatIsMostlyMissingProvesNothing() {
        var windows = PowerWindows()
        _ = windows.add(Self.block(1000..<1050, milliamperes: 400))
        #expect(windows.add(Self.block(1300..<1310, milliamperes: 400)).isEmpty)
    }

    @Test func aRebootStartsANewWindow() {
        var windows = PowerWindows()
        _ = windows.add(Self.block(1000..<1200, milliamperes: 400))
        let done = windows.add(Self.block(1200..<1210, milliamperes: 0, epoch: 1))
        #expect(done.count == 1 && done.first?.samples == 200)
    }
}
