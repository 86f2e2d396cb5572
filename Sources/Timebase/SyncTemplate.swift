import Foundation

/// The pattern as a supply sees it: each chip approached with one time constant, averaged over a conversion.
struct SyncTemplate {
    private let chip: Double
    private let targets: [Double]
    /// Level and running integral at the beginning of each chip.
    private let levels: [Double]
    private let integrals: [Double]
    private let tau: Double

    init(_ pattern: SyncPattern, tau: Double) {
        let tau = max(tau, 1e-6)
        chip = pattern.chipSeconds
        // One idle chip is appended for what comes after the pattern.
        let targets = pattern.chips.map { $0 ? 1.0 : 0.0 } + [0]
        let decay = exp(-pattern.chipSeconds / tau)
        var level = 0.0
        var integral = 0.0
        var levels: [Double] = []
        var integrals: [Double] = []
        for target in targets {
            levels.append(level)
            integrals.append(integral)
            integral += target * pattern.chipSeconds + (level - target) * tau * (1 - decay)
            level = target + (level - target) * decay
        }
        self.targets = targets
        self.levels = levels
        self.integrals = integrals
        self.tau = tau
    }

    /// Integral of the response from the beginning of the pattern to `time`, s.
    func integral(until time: Double) -> Double {
        guard time > 0 else { return 0 }
        let index = min(Int(time / chip), targets.count - 1)
        let rest = time - Double(index) * chip
        return integrals[index] + targets[index] * rest + (levels[index] - targets[index]) * tau
            * (1 - exp(-rest / tau))
    }

    /// Mean response over `width` seconds about `time`.
    func value(at time: Double, width: Double) -> Double {
        let half = max(width, 1e-5) / 2
        return (integral(until: time + half) - integral(until: time - half)) / (2 * half)
    }
}
