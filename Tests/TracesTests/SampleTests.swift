import Testing

@testable import Traces

@Suite struct SampleTests {
    @Test func rawPowerKeepsTheSignOfTheCurrent() {
        let sample = Sample(uptimeMilliseconds: 1, vbusMicrovolts: 5_000_000, ibusMicroamperes: -400_000)
        #expect(abs(sample.rawPowerWatts + 2) < 1e-12)
    }
}
