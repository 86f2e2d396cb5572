import Foundation
import Testing

@testable import Timebase

@Suite struct SyncSearchTests {
    /// Independent of the template: 0.1 ms steps of a first-order lag, sampled by averaging 1.05 ms every 2.1 ms.
    private func signal(
        _ pattern: SyncPattern, begin: Double, tau: Double, noise: Double, seed: UInt64, step: Double = 2.5,
        lost: Double = 0
    ) -> SyncSearch.Signal {
        var random = SeededGenerator(seed: seed)
        let fine = 1e-4
        let total = begin + pattern.durationSeconds + 5
        var level = 2.0
        var fineLevels: [Double] = []
        var slow = 0.0
        for index in 0..<Int(total / fine) {
            let t = Double(index) * fine - begin
            let chip = Int((t / pattern.chipSeconds).rounded(.down))
            let busy = t >= 0 && pattern.chips.indices.contains(chip) && pattern.chips[chip]
            level += ((busy ? 2 + step : 2) - level) * (1 - exp(-fine / tau))
            slow = 0.999 * slow + noise * 0.045 * random.normal()
            fineLevels.append(level + slow)
        }
        var result = SyncSearch.Signal(times: [], values: [], width: 1.05e-3)
        var t = random.uniform() * 2e-3
        var skip = 0
        while t + 2e-3 < total {
            let first = Int(t / fine)
            let mean = (first..<first + 10).reduce(0) { $0 + fineLevels[$1] } / 10
            if skip == 0, random.uniform() < lost / 20 { skip = 20 }
            if skip > 0 {
                skip -= 1
            } else {
                result.times.append((Double(first) + 5) * fine)
                result.values.append(mean + 0.002 * random.normal())
            }
            t += 2.104e-3
        }
        return result
    }

    @Test(arguments: [SyncPattern.mls63, .barker13]) func thePatternIsPlacedToATenthOfAMillisecond(pattern: SyncPattern)
        throws
    {
        for seed in UInt64(1)...6 {
            var random = SeededGenerator(seed: seed)
            let begin = 4 + random.uniform()
            let tau = 0.001 + 0.005 * random.uniform()
            let signal = signal(pattern, begin: begin, tau: tau, noise: 0.02, seed: seed, lost: 0.03)
            let match = try SyncSearch().find(pattern, near: begin + 1.9 * (random.uniform() - 0.5), in: signal)
            #expect(abs(match.beginSeconds - begin) < 2e-4)
            #expect(abs(match.beginSeconds - begin) < 4 * match.uncertaintySeconds + 6e-5)
            #expect(abs(match.tauSeconds - tau) < 3e-4)
            #expect(abs(match.step - 2.5) < 0.05)
        }
    }

    @Test func aWeakPatternIsRefusedByItsStep() throws {
        let signal = signal(.mls63, begin: 4, tau: 0.002, noise: 0.02, seed: 1, step: 0.4)
        #expect(throws: TimebaseError.self) { try SyncSearch().find(.mls63, near: 4, in: signal) }
    }

    @Test func loadWithoutAPatternIsRefused() throws {
        var random = SeededGenerator(seed: 2)
        var signal = SyncSearch.Signal(times: [], values: [], width: 1e-3)
        var level = 2.0
        for index in 0..<20_000 {
            if random.uniform() < 0.003 { level = 2 + 3 * random.uniform() }
            signal.times.append(Double(index) * 1e-3)
            signal.values.append(level)
        }
        #expect(throws: TimebaseError.self) { try SyncSearch().find(.mls63, near: 6, in: signal) }
        let empty = SyncSearch.Signal(times: [], values: [], width: 1e-3)
        #expect(throws: TimebaseError.self) { try SyncSearch().find(.mls63, near: 6, in: empty) }
    }

    @Test func aSquareWaveHasNoPlaceAsAPattern() {
        #expect(throws: TimebaseError.patternTooShort(chips: 4)) {
            try SyncPattern(name: "square", chips: [true, false, true, false], chipSeconds: 0.1)
        }
    }
}
