/// How far the power inside a gap may lie from its fill: the same rule is tried where the samples are known.
///
/// Windows of the gap's length are laid over the two seconds on either side and filled as if they were gaps; the root mean
/// square of fill minus truth is the gap's standard deviation. A gap that holds a known change is compared with windows
/// that hold one at the same place, a gap without with windows without. Where the levels on both sides differ far more
/// than windows without a change show, an unknown change may lie anywhere: ΔP · T_gap / √12 is added. With too few windows:
/// σ_board · √(2 τ_c T_gap) (calibration.md 2.3).
struct GapDeviation: Sendable {
    /// Standard deviation of the raw product per gap, times ticks: µV·µA·ticks.
    private let deviations: [Double]

    private static let reach: Int64 = 2_000
    private static let mostWindows = 40

    init(_ trace: MeterTrace, fills: [GapFill], changes: [Double], profile: CycleProfile?) {
        deviations = fills.indices.map { Self.deviation(of: $0, trace, fills, changes, profile) }
    }

    private static func deviation(
        of index: Int, _ trace: MeterTrace, _ fills: [GapFill], _ changes: [Double], _ profile: CycleProfile?
    ) -> Double {
        let gap = fills[index]
        let length = Int64(gap.end - gap.begin)
        let begin = Int64(gap.begin)
        let nearby = GapFill.changesInside(gap.begin - Double(reach), gap.end + Double(reach), changes)
        var starts: [Int64] = []
        let anchor = profile?.cycle(at: gap.begin) ?? profile?.cycle(at: gap.end)
        if gap.followsCycle, let profile, let anchor {
            // The same place in the neighbouring cycles.
            let offset = gap.begin - profile.cycles[anchor].begin
            let near = profile.cycles.indices.filter { $0 != anchor && abs($0 - anchor) <= mostWindows / 2 }
            starts = near.map { Int64((profile.cycles[$0].begin + offset).rounded()) }
        } else if let first = GapFill.changesAffecting(gap.begin, gap.end, changes).first {
            let before = Int64((first - gap.begin).rounded())
            starts = nearby.map { Int64($0.rounded()) - before }
        } else {
            let stride = max(length / 2, (2 * reach + length) / Int64(mostWindows))
            starts = Array(Swift.stride(from: begin - reach, through: begin + reach, by: Int(max(1, stride))))
        }
        var square = 0.0
        var jumpSquare = 0.0
        var count = 0
        for start in starts {
            guard count < mostWindows, let window = Window(trace, start: start, length: length) else { continue }
            let inside = GapFill.changesAffecting(Double(start), Double(start + length), changes)
            guard gap.followsCycle || inside.isEmpty != gap.holdsChange else { continue }
            let error = window.error(trace, changes: inside, profile: gap.followsCycle ? profile : nil)
            square += error * error
            jumpSquare += window.jump * window.jump
            count += 1
        }
        guard count >= 4 else {
            let left = trace.runs[index]
            let right = trace.runs[index + 1]
            let end = left.start + left.count
            let before = variation(trace, max(left.start, end - Int(reach))..<end)
            let after = variation(trace, right.start..<min(right.start + right.count, right.start + Int(reach)))
            let own = max(before.deviation(over: Double(length)), after.deviation(over: Double(length)))
            let jump = gap.jump * Double(length) / 12.0.squareRoot()
            return (own * own + (gap.holdsChange ? 0 : jump * jump)).squareRoot()
        }
        let own = square / Double(count)
        let unexplained = !gap.holdsChange && !gap.followsCycle && gap.jump * gap.jump > 16 * jumpSquare / Double(count)
        let jump = unexplained ? gap.jump * Double(length) / 12.0.squareRoot() : 0
        return (own + jump * jump).squareRoot()
    }

    /// A stretch of known samples treated as a gap.
    private struct Window {
        private let start: Int64
        private let length: Int64
        private let from: GapFill.Level
        private let to: GapFill.Level
        private let truth: Double

        /// nil if a real gap or an end of the trace comes too near.
        init?(_ trace: MeterTrace, start: Int64, length: Int64) {
            guard let number = trace.runIndex(atOrBefore: start) else { return nil }
            let run = trace.runs[number]
            let ticks = trace.ticksPerSample
            let first = Int((start - run.firstTick) / ticks)
            let last = first + Int(length / ticks)
            let side = GapFill.levelSamples
            guard first + 1 >= side, last + side <= run.count else { return nil }
            let (a, b) = (run.start + first, run.start + last)
            from = BlockSums.sums(trace.microvolts, trace.microamperes, a + 1 - side..<a + 1) / Double(side)
            to = BlockSums.sums(trace.microvolts, trace.microamperes, b..<b + side) / Double(side)
            let whole = BlockSums.sums(trace.microvolts, trace.microamperes, a..<b + 1)
            let ends =
                BlockSums.sums(trace.microvolts, trace.microamperes, a..<a + 1)
                + BlockSums.sums(trace.microvolts, trace.microamperes, b..<b + 1)
            truth = (whole[0] - 0.5 * ends[0]) * Double(ticks)
            self.start = run.firstTick + Int64(first) * ticks
            self.length = Int64(last - first) * ticks
        }

        var jump: Double { to[0] - from[0] }

        func error(_ trace: MeterTrace, changes: [Double], profile: CycleProfile?) -> Double {
            let fill = GapFill.fill(
                trace, start, start + length, from: from, to: to, changes: changes, profile: profile)
            return fill.integral(until: fill.end).product - truth
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
            let joules = deviations[index] * share * joulesPerProductTick
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
