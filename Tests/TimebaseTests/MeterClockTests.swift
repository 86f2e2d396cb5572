import Foundation
import Testing

@testable import Timebase

/// Simulated arrivals: the truth is known, so bounds can be held against errors.
struct ArrivalSimulation {
    var tickErrorPPM = 40.0
    /// Slow swing of the rate, ppm and period.
    var swingPPM = 1.0
    var swingPeriodSeconds = 7200.0
    var smallestDelaySeconds = 0.35e-3
    var lateFraction = 0.05
    var lateSeconds = 20e-3
    var lostFraction = 0.0
    /// (meter second, size) of host clock steps.
    var steps: [(at: Double, size: Double)] = []

    func hostSeconds(atMeter t: Double) -> Double {
        let omega = 2 * Double.pi / swingPeriodSeconds
        let swing = swingPPM * 1e-6 / omega * (1 - Foundation.cos(omega * t))
        return 100 + t * (1 + tickErrorPPM * 1e-6) + swing
            + steps.reduce(0) { $0 + ($1.at <= t ? $1.size : 0) }
    }

    func pairs(seconds: Double, seed: UInt64) -> [MeterClock.Pair] {
        var random = SeededGenerator(seed: seed)
        var pairs: [MeterClock.Pair] = []
        var t = 0.0
        while t < seconds {
            t += 0.038 + 0.004 * random.uniform()
            let counter = (t * 1e3).rounded(.down)
            var delay = smallestDelaySeconds + random.exponential(mean: 0.4e-3)
            if random.uniform() < lateFraction { delay += lateSeconds * random.uniform() }
            if random.uniform() < lostFraction { continue }
            let arrival = hostSeconds(atMeter: t) + delay
            pairs.append(
                MeterClock.Pair(
                    meterNanoseconds: Int64(counter) * 1_000_000, hostNanoseconds: Int64((arrival * 1e9).rounded())))
        }
        return pairs
    }
}

@Suite struct MeterClockTests {
    private func worst(_ fit: ClockFit, _ simulation: ArrivalSimulation, seconds: Double) -> (
        error: Double, excess: Double
    ) {
        var worst = 0.0
        var excess = -Double.infinity
        for step in stride(from: 0.0, through: seconds, by: seconds / 1000) {
            let source = Int64(step * 1e9)
            if simulation.steps.contains(where: { abs($0.at - step) < 0.1 }) { continue }
            let error = abs(Double(fit.target(atSource: source)) * 1e-9 - simulation.hostSeconds(atMeter: step))
            worst = max(worst, error)
            excess = max(excess, error - Double(fit.bound(atSource: source)) * 1e-9)
        }
        return (worst, excess)
    }

    @Test func theBoundHoldsOverEightHoursWithDriftAndLatePackets() throws {
        let simulation = ArrivalSimulation(lostFraction: 0.05)
        let fit = try MeterClock().fit(simulation.pairs(seconds: 8 * 3600, seed: 1), source: .meter("a", epoch: 0))
        let (error, excess) = worst(fit, simulation, seconds: 8 * 3600)
        #expect(excess < 0)
        #expect(error < 1.5e-3)
        #expect(fit.boundNanoseconds < 3_000_000)
        #expect(abs(fit.meanRateErrorPPM - 40) < 0.05)
        #expect(fit.steps.isEmpty)
    }

    @Test(arguments: [0.05e-3, 0.5e-3, 0.95e-3]) func theBoundHoldsForAnyAllowedSmallestDelay(delay: Double) throws {
        for seed in UInt64(1)...12 {
            var random = SeededGenerator(seed: seed)
            let simulation = ArrivalSimulation(
                tickErrorPPM: (random.uniform() - 0.5) * 100, swingPPM: 2 * random.uniform(),
                swingPeriodSeconds: 1800 + 3600 * random.uniform(), smallestDelaySeconds: delay,
                lateFraction: 0.1 * random.uniform())
            let seconds = 20 + 900 * random.uniform()
            let fit = try MeterClock().fit(
                simulation.pairs(seconds: seconds, seed: seed), source: .meter("a", epoch: 0))
            let (_, excess) = worst(fit, simulation, seconds: seconds)
            #expect(excess < 0, "seed \(seed)")
        }
    }

    @Test(arguments: [0.35, -0.35, 0.012, -0.012]) func aHostStepIsFoundSizedAndCut(size: Double) throws {
        let simulation = ArrivalSimulation(steps: [(at: 73.4, size: size)])
        let fit = try MeterClock().fit(simulation.pairs(seconds: 180, seed: 5), source: .meter("a", epoch: 0))
        #expect(fit.steps.count == 1)
        let step = try #require(fit.steps.first)
        #expect(abs(Double(step.sizeNanoseconds) * 1e-9 - size) < 1e-3)
        #expect(abs(Double(step.atSource) * 1e-9 - 73.4) < 0.1)
        #expect(abs(fit.meanRateErrorPPM - 40) < 1)
        #expect(worst(fit, simulation, seconds: 180).excess < 0)
    }

    @Test func latePacketsAloneAreNotAStep() throws {
        let simulation = ArrivalSimulation(lateFraction: 0.4, lateSeconds: 60e-3)
        let fit = try MeterClock().fit(simulation.pairs(seconds: 300, seed: 9), source: .meter("a", epoch: 0))
        #expect(fit.steps.isEmpty)
    }

    @Test func tooFewPairsAreRefusedWithTheirNumber() {
        let pairs = [MeterClock.Pair(meterNanoseconds: 0, hostNanoseconds: 5)]
        #expect(throws: TimebaseError.tooFewPairs(source: .meter("a", epoch: 0), found: 1, needed: 5)) {
            try MeterClock().fit(pairs, source: .meter("a", epoch: 0))
        }
    }
}

@Suite struct CounterUnwrapperTests {
    @Test(arguments: [16, 32]) func wholeWrapsInLongGapsAreCountedByArrivalTime(bits: Int) {
        var random = SeededGenerator(seed: 3)
        var unwrapper = CounterUnwrapper(bits: bits, rateHertz: 1000)
        let modulus = Int64(1) << Int64(bits)
        let start = modulus - 5000
        var ticks = start
        for _ in 0..<3000 {
            ticks += random.uniform() < 0.02 ? Int64.random(in: 1...500_000, using: &random) : 40
            let arrival = Int64(Double(ticks - start) * 1.00004e6) + Int64(random.exponential(mean: 2e6))
            let reading = unwrapper.unwrap(UInt32(truncatingIfNeeded: ticks % modulus), arrivalNanoseconds: arrival)
            #expect(reading == .ticks(ticks))
        }
    }

    @Test func aPacketOutOfOrderKeepsItsOwnValue() {
        var unwrapper = CounterUnwrapper(bits: 16, rateHertz: 1000)
        #expect(unwrapper.unwrap(65_500, arrivalNanoseconds: 0) == .ticks(65_500))
        #expect(unwrapper.unwrap(44, arrivalNanoseconds: 80_000_000) == .ticks(65_580))
        #expect(unwrapper.unwrap(4, arrivalNanoseconds: 85_000_000) == .ticks(65_540))
        #expect(unwrapper.unwrap(84, arrivalNanoseconds: 120_000_000) == .ticks(65_620))
    }

    @Test func aRestartIsNamed() {
        var unwrapper = CounterUnwrapper(bits: 32, rateHertz: 1000)
        #expect(unwrapper.unwrap(900_000, arrivalNanoseconds: 0) == .ticks(900_000))
        #expect(unwrapper.unwrap(200, arrivalNanoseconds: 3_000_000_000) == .restarted(4_294_967_496))
    }
}
