import Quantities
import Testing
import Timebase
import Traces

@testable import Metrology

/// A trace of the meter as real captures show it, with known power.
enum TraceMaker {
    /// `power(t)` in W at 5 V nominal, sampled at 1 kHz with holes where `lost(tick)`.
    static func trace(
        ticks: Int64, noise: Double = 0, seed: UInt64 = 1, power: (Double) -> Double,
        lost: (Int64) -> Bool = { _ in false }
    ) -> MeterTrace {
        var random = SplitMix64(seed: seed)
        var trace = MeterTrace()
        for tick in 0..<ticks where !lost(tick) {
            let watts = power(Double(tick) * 1e-3) + noise * random.normal()
            trace.append(
                tick: tick, microvolts: 5_000_000, microamperes: Int32((watts / 5 * 1e6).rounded()))
        }
        return trace
    }

    static func clock(ticks: Int64, ppm: Double = 0, offset: Int64 = 0) throws -> ClockFit {
        let end = ticks * 1_000_000
        return try ClockFit(
            source: .meter("m", epoch: 0), target: .host,
            stretches: [
                .init(
                    knots: [
                        .init(source: 0, target: offset),
                        .init(source: end, target: offset + end + Int64(Double(end) * ppm * 1e-6)),
                    ], residualNanoseconds: 0, boundNanoseconds: 1_000_000, pairs: 2)
            ])
    }

    static func phase(_ begin: Double, _ end: Double, kind: String = "p") -> Phase {
        Phase(
            node: "n", kind: kind, beginNanoseconds: Int64((begin * 1e9).rounded()),
            endNanoseconds: Int64((end * 1e9).rounded()))
    }
}

@Suite struct EnergyIntegralTests {
    static let exact = MeterCorrection(
        voltage: ChannelCorrection(gainUncertainty: 0, offsetUncertainty: 0),
        current: ChannelCorrection(gainUncertainty: 0, offsetUncertainty: 0), certificate: "none")

    @Test func aRampIntegratesExactlyBetweenSamples() throws {
        let trace = TraceMaker.trace(ticks: 2001) { 2 + $0 }
        let meter = MeterEnergy(trace, clock: try TraceMaker.clock(ticks: 2001), correction: Self.exact)
        let energy = meter.energy(of: TraceMaker.phase(0.1004, 1.7307))
        let expected = 2 * 1.6303 + (1.7307 * 1.7307 - 0.1004 * 0.1004) / 2
        #expect(abs(energy.gross.value - expected) < 2e-6)
        #expect(energy.coverage == 1)
        #expect(energy.verdict == .usable)
    }

    @Test func splittingAndMergingNeverChangesTheSum() throws {
        for seed in UInt64(1)...8 {
            var random = SplitMix64(seed: seed)
            let holes = (0..<30).map { _ in Int64(random.index(below: 19_000)) }
            let trace = TraceMaker.trace(
                ticks: 20_000, noise: 0.3, seed: seed, power: { $0 < 10 ? 2 : 5 },
                lost: { tick in holes.contains { $0 <= tick && tick < $0 + 40 } })
            let clock = try TraceMaker.clock(ticks: 20_000, ppm: 37, offset: 1_700_000_000_000_000_000)
            let changes = (0..<10).map { _ in clock.target(atSource: Int64(random.index(below: 20_000)) * 1_000_000) }
            let meter = MeterEnergy(
                trace, clock: clock, correction: .uncalibrated, changes: changes)
            let total = try #require(meter.totalEnergy())
            let begin = total.phase.beginNanoseconds
            let length = total.phase.endNanoseconds - begin
            var cuts = (0..<200).map { _ in begin + Int64(random.uniform() * Double(length)) }
            cuts = ([begin, begin + length] + cuts).sorted()
            let parts = zip(cuts, cuts.dropFirst()).map {
                meter.energy(of: Phase(node: "n", kind: "p", beginNanoseconds: $0, endNanoseconds: $1))
            }
            let sum = parts.reduce(0) { $0 + $1.gross.value }
            #expect(abs(sum - total.gross.value) < 1e-9 * total.gross.value)
            // Borders drop out of the merged budget but for the two outer ones.
            let merged = EnergyBudget.sum(parts.map(\.budget))
            #expect(abs(merged.standardUncertainty / total.budget.standardUncertainty - 1) < 0.02)
        }
    }

    @Test func theBlockedSumEqualsThePlainOne() {
        var random = SplitMix64(seed: 4)
        var trace = MeterTrace()
        var plain = 0.0
        var last: (Double, Double)?
        for tick in 0..<1111 {
            let v = Int32(5_000_000 + random.index(below: 200_000))
            let i = Int32(random.index(below: 3_000_000)) - 500_000
            trace.append(tick: Int64(tick), microvolts: v, microamperes: i)
            let product = Double(v) * Double(i)
            if let last { plain += (last.0 + product) / 2 }
            last = (product, 0)
            let readings = CumulativeReadings(trace)
            if tick % 97 == 0 { #expect(abs(readings.total.product - plain) <= 1e-12 * abs(plain)) }
        }
        let readings = CumulativeReadings(trace)
        for tick in stride(from: 0.0, through: 1110, by: 36.5) {
            let split = readings.integral(from: 0, until: tick) + readings.integral(from: tick, until: 1110)
            #expect(abs(split.product - readings.total.product) <= 1e-12 * abs(readings.total.product))
        }
    }

    @Test func aGapAcrossAKnownEdgeIsFilledWithAStepThere() throws {
        let trace = TraceMaker.trace(ticks: 4000, power: { $0 < 2 ? 2 : 5 }, lost: { 1990 <= $0 && $0 < 2030 })
        let clock = try TraceMaker.clock(ticks: 4000)
        let phase = TraceMaker.phase(0, 2)
        let blind = MeterEnergy(trace, clock: clock, correction: Self.exact).energy(of: phase)
        let informed = MeterEnergy(trace, clock: clock, correction: Self.exact, changes: [2_000_000_000])
            .energy(of: phase)
        #expect(abs(informed.gross.value - 4) < 1e-6)
        #expect(informed.verdict == .usable)
        #expect(informed.flags.contains(.borderInGap))
        #expect(blind.verdict == .refused("one of its borders lies in a gap"))
        #expect(abs(blind.gross.value - 4) < 2 * blind.budget.standardUncertainty)
    }

    @Test func missingSamplesAreInterpolatedFlaggedOrRefused() throws {
        func verdict(_ missing: Int64, override: String? = nil) throws -> PhaseEnergy {
            let trace = TraceMaker.trace(
                ticks: 10_001, power: { _ in 3 }, lost: { 1000 <= $0 % 2000 && $0 % 2000 < 1000 + missing })
            var settings = MeterEnergy.Settings()
            settings.overrideReason = override
            return MeterEnergy(
                trace, clock: try TraceMaker.clock(ticks: 10_001), correction: Self.exact, settings: settings
            ).energy(of: TraceMaker.phase(0, 10))
        }
        let few = try verdict(1)
        #expect(few.flags.isEmpty && few.missing == 5)
        let some = try verdict(40)
        #expect(some.flags == [.interpolated])
        #expect(abs(some.coverage - 0.98) < 1e-9)
        let many = try verdict(200)
        #expect(many.flags.contains(.largeGaps))
        #expect(many.verdict == .refused("10.0 % of its samples are missing, more than 5.0 %"))
        #expect(abs(many.gross.value - 30) < 1e-6)
        let forced = try verdict(200, override: "supply replaced")
        #expect(forced.verdict == .usable && forced.flags.contains(.overridden))
    }

    @Test func aPhaseBeyondTheTraceIsNotInvented() throws {
        let trace = TraceMaker.trace(ticks: 1001) { _ in 4 }
        let meter = MeterEnergy(trace, clock: try TraceMaker.clock(ticks: 1001), correction: Self.exact)
        let energy = meter.energy(of: TraceMaker.phase(0.5, 1.5))
        #expect(abs(energy.gross.value - 2) < 1e-6)
        #expect(energy.flags.contains(.outsideTrace))
        #expect(abs(energy.coverage - 0.5) < 0.01)
        #expect(energy.verdict != .usable)
    }

    @Test func netEnergyCancelsTheCommonOffset() throws {
        let trace = TraceMaker.trace(ticks: 20_001, power: { $0 < 10 ? 2 : 2.2 })
        let meter = MeterEnergy(trace, clock: try TraceMaker.clock(ticks: 20_001), correction: .uncalibrated)
        let idle = IdlePower(meter.energy(of: TraceMaker.phase(1, 9)))
        let work = meter.energy(of: TraceMaker.phase(11, 19), idle: idle)
        let net = try #require(work.net)
        #expect(abs(net.value - 1.6) < 1e-6)
        let netBudget = try #require(work.netBudget)
        func offset(_ budget: EnergyBudget) -> Double {
            budget.contributors.first { $0.contributor == .offsetCurrent }?.joules ?? .nan
        }
        #expect(offset(work.budget) > 0.02)
        #expect(offset(netBudget) < 1e-9)
    }

    @Test func impossibleReadingsAreReplacedAndCounted() {
        var trace = MeterTrace()
        for tick in Int64(0)..<3000 {
            // The meter repeats every conversion; a real 2 ms spike at 1500 must stay.
            var v: Int32 = 5_100_000 + Int32((tick / 2) % 5) * 195
            var i: Int32 = 400_000 + Int32(((tick + 1) / 2) % 7) * 64
            if tick == 1500 || tick == 1501 { i = 900_000 }
            if tick == 100 { v = 0 }
            if tick == 700 { i = .min }
            if tick == 900 { i = 460_000 }
            if tick == 2999 { v = 12_000_000 }
            trace.append(tick: tick, microvolts: v, microamperes: i)
        }
        let screen = SampleScreen.clean(&trace)
        #expect(screen.rejected == [100, 700, 900, 2999])
        #expect(trace.microamperes[1500] == 900_000)
        #expect(abs(Int(trace.microvolts[100]) - 5_100_000) < 1000)
        #expect(trace.microamperes[700] < 401_000)
        #expect(screen.implausible == 0)
    }

    @Test func aLongStretchOutsideTheRangeIsBelievedAndFlagged() throws {
        var trace = MeterTrace()
        for tick in Int64(0)..<3000 {
            trace.append(
                tick: tick, microvolts: 1000 <= tick && tick < 1500 ? 0 : 5_000_000, microamperes: 400_000)
        }
        let meter = MeterEnergy(trace, clock: try TraceMaker.clock(ticks: 3000), correction: Self.exact)
        let energy = meter.energy(of: TraceMaker.phase(0, 2.999))
        #expect(energy.flags.contains(.implausibleReadings))
        #expect(abs(energy.gross.value - 2 * 2.499) < 0.01)
    }

    @Test func readingsThatOvertookEachOtherAreSortedAndRepeatsDropped() {
        let trace = MeterTrace(unsorted: [(2, 5, 2), (3, 5, 3), (0, 5, 0), (1, 5, 1), (3, 5, 99), (6, 5, 6)])
        #expect(trace.microamperes == [0, 1, 2, 3, 6])
        #expect(trace.repeated == 1)
        #expect(trace.missing == 2)
        #expect(trace.gaps.count == 1)
    }
}
