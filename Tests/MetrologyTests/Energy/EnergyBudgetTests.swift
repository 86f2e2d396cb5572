import Foundation
import Quantities
import Testing
import Timebase
import Traces

@testable import Metrology

@Suite struct EnergyBudgetTests {
    private struct Case: Decodable {
        var name: String
        var V: Double
        var I: Double
        var T_s: Double
        var missing_fraction: Double
        var inputs: [String: Double]
        var E_J: Double
        var contributions_J: [String: Double]
        var u_c_J: Double
        var mc_sd: Double
    }
    private struct File: Decodable { var cases: [Case] }

    private func cases() throws -> [Case] {
        let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/numeric/uncertainty-dev.json")
        return try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).cases
    }

    private func steady(_ c: Case) -> SteadyBudget {
        var steady = SteadyBudget(volts: c.V, amperes: c.I, seconds: c.T_s)
        steady.missingFraction = c.missing_fraction
        steady.gainVoltage = c.inputs["gainV"] ?? 0
        steady.gainCurrent = c.inputs["gainI"] ?? 0
        steady.offsetVolts = c.inputs["offV"] ?? 0
        steady.offsetAmperes = c.inputs["offI"] ?? 0
        steady.tick = c.inputs["tick"] ?? 0
        steady.temperature = c.inputs["temp"] ?? 0
        steady.borderSeconds = c.inputs["edge_s"] ?? 0
        steady.noiseVolts = c.inputs["noiseV"] ?? 0
        steady.noiseAmperes = c.inputs["noiseI"] ?? 0
        steady.effectiveSampleRatio = c.inputs["neff_ratio"] ?? 0
        steady.processWatts = c.inputs["process_sd_w"] ?? 0
        steady.processSeconds = c.inputs["process_tau_s"] ?? 0
        return steady
    }

    @Test func everyContributionOfTheWorkedCasesAgrees() throws {
        for c in try cases() {
            let steady = steady(c)
            let budget = steady.budget
            #expect(abs(steady.joules / c.E_J - 1) < 1e-12)
            #expect(abs(budget.standardUncertainty / c.u_c_J - 1) < 1e-8, "\(c.name)")
            #expect(abs(budget.standardUncertainty / c.mc_sd - 1) < 5e-3)
            let named = Dictionary(uniqueKeysWithValues: budget.contributors.map { ($0.contributor, $0.joules) })
            let expected: [(EnergyBudget.Contributor, [String])] = [
                (.gainVoltage, ["gainV"]), (.offsetVoltage, ["offV"]), (.gainCurrent, ["gainI"]),
                (.offsetCurrent, ["offI"]), (.tick, ["tick"]), (.temperatureVoltage, ["tempV"]), (.border, ["edges"]),
                (.noise, ["noiseV", "noiseI"]), (.gap, ["gap"]),
            ]
            for (contributor, keys) in expected {
                let sum = keys.reduce(0) { $0 + pow(c.contributions_J[$1] ?? .nan, 2) }.squareRoot()
                #expect(abs((named[contributor] ?? .nan) - sum) <= 1e-8 * max(sum, 1e-9), "\(c.name) \(contributor)")
            }
        }
    }

    /// The budget made from samples equals the closed form on a steady trace.
    @Test func theBudgetFromSamplesEqualsTheClosedForm() throws {
        let c = try #require(try cases().first { $0.name == "idle_120s" })
        var trace = MeterTrace()
        for tick in Int64(0)...120_000 {
            trace.append(tick: tick, microvolts: 5_100_000, microamperes: 430_000)
        }
        let correction = MeterCorrection(
            voltage: ChannelCorrection(gainUncertainty: 150e-6, offsetUncertainty: 150e-6),
            current: ChannelCorrection(gainUncertainty: 200e-6, offsetUncertainty: 60e-6), certificate: "test")
        let meter = MeterEnergy(trace, clock: try TraceMaker.clock(ticks: 120_000), correction: correction)
        let total = try #require(meter.totalEnergy())
        #expect(abs(total.gross.value - c.E_J) < 1e-6)
        #expect(abs(total.budget.standardUncertainty / c.u_c_J - 1) < 2e-4)
        #expect(total.budget.contributors.prefix(3).map(\.contributor) == [.gainCurrent, .gainVoltage, .offsetCurrent])
    }

    @Test func correlatedTermsAddLinearlyOverPhasesOfOneMeter() {
        let phase = EnergyBudget(terms: [
            .init(.gainCurrent, .meter, joules: 0.3), .init(.noise, .none, joules: 0.4),
        ])
        let sum = EnergyBudget.sum(Array(repeating: phase, count: 9))
        #expect(abs(sum.standardUncertainty - (2.7 * 2.7 + 1.2 * 1.2).squareRoot()) < 1e-12)
        let meters = EnergyBudget.standardUncertainty(acrossMeters: Array(repeating: phase, count: 9))
        #expect(abs(meters - 3 * 0.5) < 1e-12)
        let shared = EnergyBudget(terms: [.init(.referenceCurrent, .reference, joules: 0.1)])
        #expect(abs(EnergyBudget.standardUncertainty(acrossMeters: [shared, shared, shared]) - 0.3) < 1e-12)
    }

    @Test func correlationOfGainAndOffsetIsUsed() {
        let terms: [EnergyBudget.Term] = [
            .init(.gainVoltage, .meter, joules: 1), .init(.offsetVoltage, .meter, joules: 1),
        ]
        #expect(EnergyBudget(terms: terms, voltageCorrelation: -1).standardUncertainty < 1e-9)
        #expect(abs(EnergyBudget(terms: terms, voltageCorrelation: 1).standardUncertainty - 2) < 1e-12)
    }

    /// Coverage on simulated truth: meters drawn from their certificates, boards that switch, packets lost.
    @Test func twoStandardUncertaintiesCoverTheTruthNinetyFiveTimesInAHundred() throws {
        var inside = 0
        var count = 0
        for seed in UInt64(1)...100 {
            var random = SplitMix64(seed: seed)
            let gain = (v: 1 + 150e-6 * random.normal(), i: 1 + 200e-6 * random.normal())
            let offset = (v: 150e-6 * random.normal(), i: 60e-6 * random.normal())
            let drift = 20e-6 * 5 * (2 * random.uniform() - 1)
            let levels = (0..<6).map { _ in 1.5 + 4 * random.uniform() }
            let lost = (0..<3).map { _ in Int64(random.index(below: 6000)) }
            var trace = MeterTrace()
            for tick in Int64(0)...6000 where !lost.contains(where: { $0 <= tick && tick < $0 + 20 }) {
                let watts = levels[min(5, Int(tick / 1000))]
                let v = (5 * gain.v * (1 + drift) + offset.v + 1.07e-3 * 1.45 * random.normal()) * 1e6
                let i = (watts / 5 * gain.i + offset.i + 0.37e-3 * 1.45 * random.normal()) * 1e6
                trace.append(tick: tick, microvolts: Int32(v.rounded()), microamperes: Int32(i.rounded()))
            }
            let correction = MeterCorrection(
                voltage: ChannelCorrection(gainUncertainty: 150e-6, offsetUncertainty: 150e-6),
                current: ChannelCorrection(gainUncertainty: 200e-6, offsetUncertainty: 60e-6), certificate: "test")
            let edges = (1...5).map { Int64($0) * 1_000_000_000 }
            let meter = MeterEnergy(
                trace, clock: try TraceMaker.clock(ticks: 6000), correction: correction, changes: edges)
            for number in 0..<6 {
                let jitter = { 1e-3 * (2 * random.uniform() - 1) }
                let energy = meter.energy(
                    of: TraceMaker.phase(max(0, Double(number) + jitter()), min(6, Double(number + 1) + jitter())))
                count += 1
                if abs(energy.gross.value - levels[number]) <= 2 * (energy.gross.standardUncertainty ?? 0) {
                    inside += 1
                }
            }
        }
        let coverage = Double(inside) / Double(count)
        #expect(0.93 <= coverage && coverage <= 0.99, "coverage \(coverage)")
    }
}
