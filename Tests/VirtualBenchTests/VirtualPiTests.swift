import BoardControl
import Testing

@testable import VirtualBench

@Suite struct PowerTraceTests {
    @Test func meansAndTotalsEqualASumOverTheCells() throws {
        var g = SeededGenerator(seed: 1)
        var trace = PowerTrace(beginning: 1_000)
        var edges: [(Int64, Double, Double)] = []
        var at: Int64 = 1_000
        for _ in 0..<500 {
            let (v, i) = (g.uniform(4.9, 5.2), g.uniform(0, 2))
            trace.open(at: at, volts: v, amps: i, boardWatts: v * i * 0.9)
            edges.append((at, v, i))
            at += Int64(g.uniform(1, 2_000_000))
        }
        trace.extendKnowledge(to: at)
        func brute(_ from: Int64, _ to: Int64, _ f: (Double, Double) -> Double) -> Double {
            var sum = 0.0
            for (k, edge) in edges.enumerated() {
                let end = k + 1 < edges.count ? edges[k + 1].0 : at
                let (a, b) = (max(edge.0, from), min(end, to))
                if b > a { sum += f(edge.1, edge.2) * Double(b - a) * 1e-9 }
            }
            return sum
        }
        for _ in 0..<200 {
            let from = Int64(g.uniform(1_000, Double(at - 2)))
            let to = Int64(g.uniform(Double(from + 1), Double(at)))
            let seconds = Double(to - from) * 1e-9
            let volts = try #require(trace.mean(.volts, from: from, to: to))
            #expect(abs(volts - brute(from, to) { v, _ in v } / seconds) < 1e-9)
            let end = try #require(trace.totals(at: to))
            let begin = try #require(trace.totals(at: from))
            let energy = (end - begin).meterJoules
            #expect(abs(energy - brute(from, to) { $0 * $1 }) < 1e-9 * max(1, energy))
        }
        #expect(trace.mean(.volts, from: 0, to: 2_000) == nil)
        #expect(trace.mean(.volts, from: 2_000, to: at + 1) == nil)
    }
}

@Suite struct VirtualPiTests {
    private let second: Int64 = 1_000_000_000

    private func quiet(_ name: String = "pi") -> BoardTruth {
        var truth = BoardTruth(name: name)
        truth.variation = BoardTruth.Variation(
            fastWatts: 0, slowWatts: 0, perDynamicWatt: 0, sleepWatts: 0)
        truth.supply.wanderVolts = 0
        return truth
    }

    @Test func aLongStepDrawsWhatTheModelSaysAtItsTemperature() throws {
        let truth = quiet()
        var pi = VirtualPi(truth: truth, seed: 3, beginning: 0)
        let load = BoardLoad(megahertz: 1500, utilisation: 2, sendMbitPerSecond: 100)
        pi.setLoad(load, at: second)
        pi.advance(to: 400 * second)
        let volts = try #require(pi.trace.mean(.volts, from: 399 * second, to: 400 * second))
        let amps = try #require(pi.trace.mean(.amps, from: 399 * second, to: 400 * second))
        let board = (volts - truth.supply.cableOhms * amps) * amps
        // Written out here once more, not through the model's own code.
        let expected =
            1.6 + 0.0098 * (pi.socCelsius - 50) + 0.88 * 0.88 * 1.5 * (0.165 + 0.21 + 0.595 * 2) + 1.17e-3 * 100
        #expect(abs(board - expected) < 1e-3)
        #expect(abs(volts + truth.supply.sourceOhms * amps - truth.supply.sourceVolts) < 1e-9)
        #expect(pi.socCelsius > 45)
    }

    @Test func askingMoreOftenDoesNotChangeTheSignal() throws {
        var once = VirtualPi(truth: BoardTruth(name: "a", seed: 5), seed: 9, beginning: 0)
        var often = once
        for pass in 0..<2 {
            for k in 1...40 {
                let at = Int64(k) * 77_777_777
                if pass == 1 { for j in 0..<50 { often.advance(to: at - 77_777_777 + Int64(j) * 1_234_567) } }
                let load = BoardLoad.busy(cores: Double(k % 5), megahertz: 1500)
                if pass == 0 { once.setLoad(load, at: at) } else { often.setLoad(load, at: at) }
            }
        }
        once.advance(to: 4 * second)
        often.advance(to: 4 * second)
        let a = try #require(once.trace.totals(at: 4 * second))
        #expect(try #require(often.trace.totals(at: 4 * second)) == a)
    }

    @Test func shutdownRunsThroughABootloaderBumpToTheOffPlateauAndAPulseBoots() throws {
        let truth = quiet()
        var pi = VirtualPi(truth: truth, seed: 1, beginning: 0)
        pi.apply(.shutdownRequest, asserted: true, at: second)
        pi.apply(.shutdownRequest, asserted: false, at: second + 150_000_000)
        pi.advance(to: 20 * second)
        #expect(pi.transitions.map(\.to) == [.shuttingDown, .off])
        let off = try #require(pi.trace.mean(.amps, from: 19 * second, to: 20 * second))
        #expect(abs(off * 5.17 - truth.sleep.offWatts) < 0.005)
        #expect(!pi.runIsHigh)
        pi.apply(.globalEnable, asserted: true, at: 21 * second)
        pi.apply(.globalEnable, asserted: false, at: 21 * second + 100_000_000)
        pi.advance(to: 60 * second)
        #expect(pi.transitions.map(\.to) == [.shuttingDown, .off, .booting, .running])
        #expect(pi.boots == 2)
    }

    @Test func aPressShorterThanTheDebounceIsIgnored() {
        var pi = VirtualPi(truth: quiet(), seed: 1, beginning: 0)
        pi.apply(.shutdownRequest, asserted: true, at: second)
        pi.apply(.shutdownRequest, asserted: false, at: second + 50_000_000)
        pi.advance(to: 10 * second)
        #expect(pi.transitions.isEmpty)
    }

    @Test func haltWakesByGPIO3OnlyWhereTheEEPROMSaysSo() {
        for wake in [true, false] {
            var truth = quiet()
            truth.firmware.powerOffOnHalt = false
            truth.firmware.wakeOnGPIO = wake
            var pi = VirtualPi(truth: truth, seed: 1, beginning: 0)
            pi.requestShutdown(cause: "test", at: second)
            pi.advance(to: 10 * second)
            #expect(pi.state == .halt)
            pi.apply(.gpio3Wake, asserted: true, at: 11 * second)
            pi.apply(.gpio3Wake, asserted: false, at: 12 * second)
            pi.advance(to: 40 * second)
            #expect(pi.state == (wake ? .running : .halt))
        }
    }

    @Test func cutDrawsNothingAndALatchedBoardNeedsItsSupplyCut() throws {
        var pi = VirtualPi(truth: quiet(), seed: 1, beginning: 0)
        pi.wakeFaults = [.latched]
        pi.requestShutdown(cause: "test", at: second)
        pi.advance(to: 10 * second)
        for k in 0..<3 {
            pi.apply(.globalEnable, asserted: true, at: Int64(10 + 2 * k) * second)
            pi.apply(.globalEnable, asserted: false, at: Int64(11 + 2 * k) * second)
        }
        pi.advance(to: 40 * second)
        #expect(pi.state == .off)
        pi.connectSupply(false, at: 41 * second)
        pi.advance(to: 43 * second)
        #expect(try #require(pi.trace.mean(.amps, from: 42 * second, to: 43 * second)) == 0)
        pi.connectSupply(true, at: 44 * second)
        pi.advance(to: 80 * second)
        #expect(pi.state == .running)
    }

    @Test func aHungBootDrawsOnUntilReset() {
        var pi = VirtualPi(truth: quiet(), seed: 1, beginning: 0)
        pi.wakeFaults = [.hangs]
        pi.requestShutdown(cause: "test", at: second)
        pi.advance(to: 10 * second)
        pi.apply(.globalEnable, asserted: true, at: 10 * second)
        pi.apply(.globalEnable, asserted: false, at: 11 * second)
        pi.advance(to: 100 * second)
        #expect(pi.state == .booting)
        pi.apply(.run, asserted: true, at: 101 * second)
        pi.apply(.run, asserted: false, at: 102 * second)
        pi.advance(to: 140 * second)
        #expect(pi.state == .running)
    }
}
