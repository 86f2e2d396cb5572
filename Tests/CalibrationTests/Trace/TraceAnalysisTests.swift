import Foundation
import Testing
import Timebase

@testable import Calibration

@Suite struct TraceAnalysisTests {
    /// Largest energy error over the phases, %, and how many lie within 2 u.
    private func compare(_ summary: TraceSummary, _ truth: TraceTruth, print show: Bool = false) -> (Double, Int) {
        var worst = 0.0
        var inside = 0
        for (row, phase) in zip(summary.phases, truth.phases) {
            let error = row.energyJoules - phase.energy_meter_J
            worst = max(worst, abs(error) / phase.energy_meter_J * 100)
            if abs(error) <= 2 * row.standardUncertaintyJoules { inside += 1 }
            if show {
                print(
                    phase.name, phase.index, String(format: "%.4f", error / phase.energy_meter_J * 100),
                    String(format: "%.2f", error / row.standardUncertaintyJoules))
            }
        }
        return (worst, inside)
    }

    @Test func theRecordingsTruthIsRecovered() throws {
        let truth = try TraceTruth.load()
        let summary = try TraceFixture().analysis().summary
        #expect(summary.phases.map(\.name) == truth.phases.map(\.name))
        #expect(summary.phases.map(\.index) == truth.phases.map(\.index))
        let (worst, inside) = compare(summary, truth, print: ProcessInfo.processInfo.environment["SHOW"] != nil)
        if ProcessInfo.processInfo.environment["SHOW"] != nil { print(summary.text) }
        #expect(worst < 0.15)
        #expect(inside >= truth.phases.count - 1)
        #expect(abs(summary.totalEnergyJoules / truth.total_energy_meter_J - 1) < 3e-4)
        #expect(abs((summary.batch.meanEnergyJoules ?? 0) / truth.batch.mean_energy_J - 1) < 1e-3)
        #expect(summary.lostSamples == 1800)
        #expect(summary.glitches == 6)
        #expect(abs(summary.tickErrorPPM - truth.clock.meter_skew_ppm) < 0.05)
        #expect(abs((summary.boardDriftPPM ?? 0) - truth.clock.board_drift_ppm) < 1)
        let (t, u) = (summary.transitions, truth.transitions)
        #expect(abs((t.sleepWatts ?? 0) / u.P_sleep_meter_W - 1) < 0.004)
        #expect(abs((t.shutdownSeconds ?? 0) - u.shutdown_latency_s) < 0.003)
        #expect(abs((t.shutdownJoules ?? 0) - u.shutdown_energy_meter_J) < 0.01)
        #expect(abs((t.wakeSeconds ?? 0) - u.wake_latency_s) < 1e-3)
        #expect(abs((t.wakeJoules ?? 0) - u.wake_energy_meter_J) < 0.01)
        #expect(abs((t.railSeconds ?? 0) - u.rail_latency_s) < 0.002)
    }

    @Test(arguments: [0.35, -0.35, 0.02]) func aSteppedHostClockChangesNothingElse(size: Double) throws {
        let truth = try TraceTruth.load()
        var fixture = try TraceFixture()
        for index in fixture.packets.indices where index >= 1700 { fixture.packets[index].host += Int64(size * 1e9) }
        let analysis = try fixture.analysis()
        #expect(analysis.clock.steps.count == 1)
        #expect(abs(Double(analysis.clock.steps[0].sizeNanoseconds) * 1e-9 - size) < 1e-3)
        #expect(abs(analysis.summary.tickErrorPPM - truth.clock.meter_skew_ppm) < 0.3)
        #expect(compare(analysis.summary, truth).0 < 0.15)
        #expect(analysis.summary.lostSamples == 1800)
        #expect(analysis.remarks.contains { $0.contains("stepped") })
    }

    @Test func repeatedAndOvertakingPacketsChangeNothing() throws {
        let plain = try TraceFixture().analysis().summary
        var fixture = try TraceFixture()
        var random = SeededNumbers(state: 5)
        for index in stride(from: 2800, through: 50, by: -37) {
            var again = fixture.packets[index]
            again.host += 9_000_000
            fixture.packets.insert(again, at: index + 1 + random.below(3))
        }
        for index in stride(from: 20, to: 2700, by: 61) {
            fixture.packets.swapAt(index, index + 1)
            fixture.packets[index + 1].host = fixture.packets[index].host + 100_000
        }
        let summary = try fixture.analysis().summary
        #expect(summary.lostSamples == plain.lostSamples)
        #expect(abs(summary.tickErrorPPM - plain.tickErrorPPM) < 0.2)
        for (a, b) in zip(summary.phases, plain.phases) {
            #expect(abs(a.energyJoules / b.energyJoules - 1) < 2e-5)
        }
    }

    @Test func moreLossIsPaidForByMoreUncertaintyNotByBias() throws {
        let truth = try TraceTruth.load()
        var outside = 0
        var count = 0
        for seed in UInt64(1)...(ProcessInfo.processInfo.environment["SHOW"] == nil ? 2 : 8) {
            var fixture = try TraceFixture()
            var random = SeededNumbers(state: seed)
            fixture.packets.removeAll { _ in random.below(25) == 0 }
            let summary = try fixture.analysis().summary
            for (row, phase) in zip(summary.phases, truth.phases) {
                let error = row.energyJoules - phase.energy_meter_J
                count += 1
                if abs(error) > 2 * row.standardUncertaintyJoules { outside += 1 }
                #expect(abs(error) / phase.energy_meter_J < 0.005, "\(phase.name) \(phase.index), seed \(seed)")
            }
            #expect(abs((summary.batch.meanEnergyJoules ?? 0) / truth.batch.mean_energy_J - 1) < 3e-3)
        }
        #expect(Double(outside) / Double(count) < 0.08, "\(outside) of \(count) outside 2 u")
    }

    @Test func withoutSyncPatternsPhasesAreAlignedByTheirEdges() throws {
        let truth = try TraceTruth.load()
        var fixture = try TraceFixture()
        fixture.events = fixture.events.split(whereSeparator: \.isNewline).filter { !$0.contains("sync") }.joined(
            separator: "\n")
        let analysis = try fixture.analysis()
        #expect(analysis.summary.boardDriftPPM == nil)
        #expect(compare(analysis.summary, truth).0 < 0.5)
        #expect(compare(analysis.summary, truth).1 >= truth.phases.count - 1)
        #expect(analysis.remarks.contains { $0.contains("No sync pattern") })
    }

    @Test func oneSyncPatternGivesTheOffsetOnly() throws {
        let truth = try TraceTruth.load()
        var fixture = try TraceFixture()
        fixture.events = fixture.events.split(whereSeparator: \.isNewline).filter { !$0.contains("\"\"B\"\"") }
            .joined(separator: "\n")
        let summary = try fixture.analysis().summary
        #expect(summary.boardDriftPPM == nil)
        #expect(compare(summary, truth).0 < 0.2)
    }

    @Test func badFilesAreNamedWithTheirLine() throws {
        func failure(_ change: (inout TraceFixture) throws -> Void) throws -> String {
            var fixture = try TraceFixture()
            try change(&fixture)
            do {
                _ = try fixture.analysis()
                return "no error"
            } catch { return "\(error)" }
        }
        #expect(try failure { $0.packets[3].first += 1 }.hasPrefix("trace/samples.csv:122: seq is"))
        #expect(try failure { $0.packets[2].first = 70_000 }.hasPrefix("trace/packets.csv:4: first_seq is 70000"))
        #expect(try failure { $0.events = "board_ns,event\n1,x\n" }.contains("missing column \"attrs_json\""))
        #expect(try failure { $0.events += "5,late,{}\n" }.hasPrefix("trace/events.csv:203: board_ns goes back"))
        #expect(try failure { $0.events += "1760110119000000000,x,{\n" }.contains("attrs_json is not a JSON object"))
        #expect(try failure { $0.meta = "{" }.hasPrefix("trace/meta.json: not the expected JSON"))
        #expect(
            try failure { $0.meta = $0.meta.replacing("1.0022617222255865", with: "1002.26") }
                .contains("gainV is 1002.26, expected 0.9 to 1.1"))
        #expect(try failure { $0.packets.removeAll() }.contains("no samples"))
    }

    @Test func randomBytesNeverCrashTheReaders() throws {
        let fixture = try TraceFixture()
        var small = fixture
        small.packets = Array(fixture.packets[0..<8])
        small.events = fixture.events.split(whereSeparator: \.isNewline).prefix(12).joined(separator: "\n")
        var random = SeededNumbers(state: 77)
        for _ in 0..<400 {
            let victim = ["samples.csv", "packets.csv", "events.csv", "meta.json"][random.below(4)]
            var bytes = try small.bytes(victim)
            for _ in 0...random.below(4) {
                let at = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[at] = UInt8(random.below(256))
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8(random.below(128)), at: at)
                }
            }
            let changed = bytes
            do {
                let folder = try TraceFolder(name: "t") { name throws(CalibrationError) in
                    name == victim ? changed : try small.bytes(name)
                }
                _ = try? TraceAnalysis(folder)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}

/// SplitMix64 for test data.
struct SeededNumbers {
    var state: UInt64
    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
