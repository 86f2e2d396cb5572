/// The clock of one node boot related to the host's, from bursts of four-stamp exchanges.
///
/// Each burst encloses the offset in an interval that holds for any delays and any asymmetry. The fit draws a line
/// through neighbouring bursts, keeps it inside each burst's interval, and interpolates between bursts; its bound is the
/// largest distance from the line to an interval's far end, plus what a crystal may wander between two bursts.
package struct FourStampFit: Sendable {
    /// Shortest span of bursts from which a rate is taken, s. Less gives rates wrong by tens of ppm.
    package static let shortestRateSpanSeconds = 60.0
    /// How far a crystal's rate may wander about its mean between two bursts, as a fraction (2 ppm: a board that
    /// warms up).
    package static let rateWander = 2e-6

    package let clock: ClockFit
    /// Rate of the host clock against the node's less one, ppm; nil where the bursts span less than
    /// `shortestRateSpanSeconds` (the fit then assumes equal rates and widens its bound).
    package let ratePPM: Double?
    /// Bursts behind the fit, in order.
    package let bursts: [FourStampBurst]
    /// Bursts set aside: stamps that contradict each other, or an interval over one and a half times the usual width.
    package let discardedBursts: Int

    /// - Parameter exchanges: all exchanges of one (node, boot), in any order, raw stamps.
    /// - Throws: `TimebaseError.tooFewPairs` if not one exchange is usable.
    package init(node: String, boot: String, exchanges: [FourStampExchange]) throws(TimebaseError) {
        let name = ClockName.node(node, boot: boot)
        let groups = Dictionary(grouping: exchanges, by: \.burst)
        let made = groups.values.compactMap { FourStampBurst($0) }.sorted { $0.nodeTime < $1.nodeTime }
        guard let first = made.first, let last = made.last else {
            throw .tooFewPairs(source: name, found: 0, needed: 1)
        }
        let span = Double(last.nodeTime - first.nodeTime) * 1e-9
        if span < Self.shortestRateSpanSeconds {
            bursts = made
            discardedBursts = groups.count - made.count
            ratePPM = nil
            clock = try Self.equalRates(name, made)
            return
        }
        bursts = Self.narrowed(Self.spaced(Self.withoutWideOnes(made)))
        discardedBursts = groups.count - bursts.count
        (clock, ratePPM) = try Self.line(name, bursts)
    }

    /// Offset only: the bursts' intervals, widened for the largest rate difference, must all hold at the middle.
    private static func equalRates(_ name: ClockName, _ bursts: [FourStampBurst]) throws(TimebaseError) -> ClockFit {
        let times = bursts.map(\.nodeTime)
        let begin = times.min() ?? 0
        let end = max(times.max() ?? 0, begin + 1)
        let centre = begin + (end - begin) / 2
        var low = Int64.min
        var high = Int64.max
        for burst in bursts {
            let distance = Double(abs(burst.nodeTime - centre))
            let slack = Int64((distance * FourStampBurst.assumedRateLimit).rounded(.up))
            low = max(low, burst.offset.lowerBound - slack)
            high = min(high, burst.offset.upperBound + slack)
        }
        guard low <= high else { throw .unorderedKnots(source: name, index: 0) }
        let offset = low + (high - low) / 2
        let away = Double(end - begin) / 2 * FourStampBurst.assumedRateLimit
        let knots = [begin, end].map { ClockFit.Knot(source: $0, target: $0 + offset) }
        var fit = try ClockFit(
            source: name, target: .host,
            stretches: [
                ClockFit.Stretch(
                    knots: knots, residualNanoseconds: Double(high - low) / 2,
                    boundNanoseconds: (high - low + 1) / 2 + Int64(away.rounded(.up)) + 1,
                    pairs: bursts.reduce(0) { $0 + $1.kept })
            ])
        fit.extrapolationRate = FourStampBurst.assumedRateLimit
        return fit
    }

    /// A burst that met a busy radio would widen the bound of the whole fit; its neighbours do better. The outer ones
    /// stay: they carry the ends.
    private static func withoutWideOnes(_ bursts: [FourStampBurst]) -> [FourStampBurst] {
        let widths = bursts.map(\.halfWidth).sorted()
        let limit = widths[widths.count / 2] * 3 / 2
        return bursts.enumerated().filter { index, burst in
            index == 0 || index == bursts.count - 1 || burst.halfWidth <= limit
        }.map(\.element)
    }

    /// Of bursts less than a second apart the narrower one stays, so that knots keep their order.
    private static func spaced(_ bursts: [FourStampBurst]) -> [FourStampBurst] {
        var kept: [FourStampBurst] = []
        for burst in bursts {
            if let before = kept.last, burst.nodeTime - before.nodeTime < 1_000_000_000 {
                if burst.halfWidth < before.halfWidth { kept[kept.count - 1] = burst }
            } else {
                kept.append(burst)
            }
        }
        return kept
    }

    /// What a burst's neighbours say about its offset: they cannot have moved farther than the rates allow, so a burst
    /// with a wide interval takes its neighbours' narrower one. The rate lies within what the outermost intervals
    /// allow, plus the wander.
    private static func narrowed(_ bursts: [FourStampBurst]) -> [FourStampBurst] {
        guard let first = bursts.first, let last = bursts.last, last.nodeTime > first.nodeTime else { return bursts }
        let span = Double(last.nodeTime - first.nodeTime)
        let lowest = Double(last.offset.lowerBound - first.offset.upperBound) / span - rateWander
        let highest = Double(last.offset.upperBound - first.offset.lowerBound) / span + rateWander
        var made = bursts
        func narrow(_ index: Int, by other: Int) {
            let away = Double(bursts[index].nodeTime - bursts[other].nodeTime)
            let moved = [away * lowest, away * highest].sorted()
            let low = made[other].offset.lowerBound + Int64(moved[0].rounded(.down))
            let high = made[other].offset.upperBound + Int64(moved[1].rounded(.up))
            let own = made[index].offset
            let tight = (max(low, own.lowerBound), min(high, own.upperBound))
            // Empty only if a crystal wandered more than assumed: then each burst stands alone.
            if tight.0 <= tight.1 { made[index].offset = tight.0...tight.1 }
        }
        for index in bursts.indices.dropFirst() { narrow(index, by: index - 1) }
        for index in bursts.indices.dropLast().reversed() { narrow(index, by: index + 1) }
        return made
    }

    private static func line(_ name: ClockName, _ bursts: [FourStampBurst]) throws(TimebaseError) -> (
        ClockFit, Double
    ) {
        guard bursts.count >= 2 else { throw .tooFewPairs(source: name, found: bursts.count, needed: 2) }
        let offsets = bursts.indices.map { smoothed(bursts, at: $0) }
        var bound: Int64 = 0
        var squares = 0.0
        var widestGap: Int64 = 0
        for (index, burst) in bursts.enumerated() {
            bound = max(bound, burst.offset.upperBound - offsets[index], offsets[index] - burst.offset.lowerBound)
            squares += Double(burst.middle - offsets[index]) * Double(burst.middle - offsets[index])
            if index > 0 { widestGap = max(widestGap, burst.nodeTime - bursts[index - 1].nodeTime) }
        }
        let wander = Int64((Double(widestGap) / 2 * rateWander).rounded(.up))
        let knots = zip(bursts, offsets).map { ClockFit.Knot(source: $0.nodeTime, target: $0.nodeTime + $1) }
        var fit = try ClockFit(
            source: name, target: .host,
            stretches: [
                ClockFit.Stretch(
                    knots: knots, residualNanoseconds: (squares / Double(bursts.count)).squareRoot(),
                    boundNanoseconds: bound + wander + 1, pairs: bursts.reduce(0) { $0 + $1.kept })
            ])
        // Beyond the ends the last piece is continued; its rate is as good as two bounds over its length.
        let ends = [
            knots[1].source - knots[0].source, knots[knots.count - 1].source - knots[knots.count - 2].source,
        ]
        let endRate = 2 * Double(bound) / Double(ends.min() ?? 1) + rateWander
        fit.extrapolationRate = min(endRate, 2 * FourStampBurst.assumedRateLimit)
        return (fit, fit.meanRateErrorPPM)
    }

    /// A weighted line through the bursts around one, read at that one and kept inside its interval.
    private static func smoothed(_ bursts: [FourStampBurst], at index: Int) -> Int64 {
        let here = bursts[index]
        let near = bursts[max(0, index - 10)...min(bursts.count - 1, index + 10)].filter {
            abs($0.nodeTime - here.nodeTime) <= 600_000_000_000
        }
        guard near.count >= 3 else { return here.middle }
        var (w, wx, wy, wxx, wxy) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for burst in near {
            // Differences first: offsets themselves do not fit a double exactly.
            let x = Double(burst.nodeTime - here.nodeTime) * 1e-9
            let y = Double(burst.middle - here.middle)
            let width = Double(max(burst.halfWidth, 1))
            let weight = 1 / (width * width)
            w += weight
            wx += weight * x
            wy += weight * y
            wxx += weight * x * x
            wxy += weight * x * y
        }
        let determinant = w * wxx - wx * wx
        guard determinant > 0 else { return here.middle }
        let value = here.middle + Int64(((wxx * wy - wx * wxy) / determinant).rounded())
        return min(max(value, here.offset.lowerBound), here.offset.upperBound)
    }
}
