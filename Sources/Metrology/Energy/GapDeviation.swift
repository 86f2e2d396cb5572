/// How far the power inside a gap may lie from its fill, from the board's own variation around it.
///
/// Per gap: σ_board · √(2 τ_c T_gap), at most σ_board · T_gap, with σ_board and τ_c from the two seconds on either side;
/// and where the levels differ without a known change, the jump may lie anywhere: ΔP · T_gap / √12 (calibration.md 2.3).
struct GapDeviation: Sendable {
    /// Standard deviation of the raw product per gap, times ticks: µV·µA·ticks.
    private let deviations: [Double]

    private static let reach = 2_000

    init(_ trace: MeterTrace) {
        deviations = zip(trace.runs, trace.runs.dropFirst()).map { left, right in
            let end = left.start + left.count
            let before = Self.variation(trace, max(0, end - Self.reach)..<end)
            let after = Self.variation(trace, right.start..<min(trace.sampleCount, right.start + Self.reach))
            let ticks = Double(right.firstTick - left.lastTick(spacing: trace.ticksPerSample))
            return max(before.deviation(over: ticks), after.deviation(over: ticks))
        }
    }

    struct Variation {
        /// Standard deviation of the product, µV·µA, and correlation time, ticks.
        var sigma = 0.0
        var tau = 1.0

        /// Standard deviation of the integral over a gap whose ends are pinned.
        func deviation(over ticks: Double) -> Double { sigma * min(ticks, (2 * tau * ticks).squareRoot()) }
    }

    /// From means over eight samples: their spread, and the lag at which their autocorrelation falls below 1/e.
    static func variation(_ trace: MeterTrace, _ range: Range<Int>) -> Variation {
        let width = 8
        let count = range.count / width
        guard count >= 8 else { return Variation() }
        let means = (0..<count).map { number -> Double in
            let begin = range.lowerBound + number * width
            return BlockSums.sums(trace.microvolts, trace.microamperes, begin..<begin + width)[0] / Double(width)
        }
        let mean = means.reduce(0, +) / Double(count)
        let variance = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
        guard variance > 0 else { return Variation() }
        var lag = 1
        while lag < count / 2 {
            var sum = 0.0
            for index in 0..<count - lag { sum += (means[index] - mean) * (means[index + lag] - mean) }
            if sum / Double(count - lag) < variance * 0.3679 { break }
            lag += 1
        }
        return Variation(sigma: variance.squareRoot(), tau: Double(lag * width) * Double(trace.ticksPerSample))
    }

    /// Terms of all gaps in an interval; a gap cut by a border counts with its share and is named, so that the two parts
    /// add up to the whole again.
    func terms(
        _ readings: CumulativeReadings, from a: Double, until b: Double, joulesPerProductTick: Double
    ) -> [EnergyBudget.Term] {
        let touching = GapSummary.touching(readings.fills, from: a, until: b)
        var terms: [EnergyBudget.Term] = []
        var square = 0.0
        for index in touching.indices {
            let fill = touching[index]
            let length = fill.end - fill.begin
            let share = max(0, min(b, fill.end) - max(a, fill.begin)) / length
            let own = deviations[index]
            let jump = fill.holdsChange ? 0 : fill.jump * length / 12.0.squareRoot()
            let joules = (own * own + jump * jump).squareRoot() * share * fill.missingShare * joulesPerProductTick
            if fill.begin < a || fill.end > b {
                terms.append(.init(.gap, .gap(Int64(fill.begin)), joules: joules))
            } else {
                square += joules * joules
            }
        }
        if square > 0 { terms.append(.init(.gap, .none, joules: square.squareRoot())) }
        return terms
    }
}
