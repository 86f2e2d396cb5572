/// Offset and rate from one clock to another: a chain of straight pieces through integer knots, with a bound.
///
/// Mapping is exact integer arithmetic (rounded to the nearest nanosecond), so it is monotonic inside a stretch,
/// the same on every machine, and goes there and back within 1 ns. A step of the target clock splits the fit into
/// stretches; inside a stretch it is continuous.
package struct ClockFit: Sendable, Equatable {
    /// One moment on both clocks, ns.
    package struct Knot: Sendable, Equatable {
        package var source: Int64
        package var target: Int64
        package init(source: Int64, target: Int64) {
            self.source = source
            self.target = target
        }
    }

    /// A stretch without a step: at least two knots, increasing on both clocks.
    package struct Stretch: Sendable, Equatable {
        package var knots: [Knot]
        /// Root mean square of the pairs about the fit, ns (delays included).
        package var residualNanoseconds: Double
        /// The mapping's error is not larger than this inside the stretch, ns.
        package var boundNanoseconds: Int64
        /// Clock pairs behind the stretch.
        package var pairs: Int

        package init(knots: [Knot], residualNanoseconds: Double, boundNanoseconds: Int64, pairs: Int) {
            self.knots = knots
            self.residualNanoseconds = residualNanoseconds
            self.boundNanoseconds = boundNanoseconds
            self.pairs = pairs
        }

        package var validFrom: Int64 { knots.first?.source ?? 0 }
        package var validUntil: Int64 { knots.last?.source ?? 0 }
    }

    /// A jump of the target clock seen between two stretches.
    package struct Step: Sendable, Equatable {
        /// Source time of the cut, ns.
        package var atSource: Int64
        /// Target time just before the jump, ns.
        package var atTarget: Int64
        /// Size, ns: positive where the target clock was put forward.
        package var sizeNanoseconds: Int64
    }

    package let source: ClockName
    package let target: ClockName
    /// In order of source time; at least one.
    package let stretches: [Stretch]
    /// Fractional rate change tolerated outside the validity window, per second of distance; widens the bound there.
    package var extrapolationRate: Double = 2e-6

    /// - Throws: `TimebaseError.unorderedKnots` if knots do not increase on both clocks, or stretches overlap on the
    ///   source clock; `tooFewPairs` if there is nothing to map with.
    package init(
        source: ClockName, target: ClockName, stretches: [Stretch], extrapolationRate: Double = 2e-6
    ) throws(TimebaseError) {
        guard !stretches.isEmpty, stretches.allSatisfy({ $0.knots.count >= 2 }) else {
            throw .tooFewPairs(source: source, found: stretches.first?.knots.count ?? 0, needed: 2)
        }
        for stretch in stretches {
            for index in stretch.knots.indices.dropFirst() {
                let before = stretch.knots[index - 1]
                let here = stretch.knots[index]
                guard here.source > before.source, here.target > before.target else {
                    throw .unorderedKnots(source: source, index: index)
                }
            }
        }
        for index in stretches.indices.dropFirst() where stretches[index].validFrom < stretches[index - 1].validUntil {
            throw .unorderedKnots(source: source, index: index)
        }
        self.source = source
        self.target = target
        self.stretches = stretches
        self.extrapolationRate = extrapolationRate
    }

    /// The identity between a clock and itself or an exactly known offset, ns.
    package init(exactly source: ClockName, to target: ClockName, offsetNanoseconds: Int64, from: Int64, until: Int64) {
        self.source = source
        self.target = target
        let end = max(until, from + 1)
        self.stretches = [
            Stretch(
                knots: [
                    Knot(source: from, target: from + offsetNanoseconds),
                    Knot(source: end, target: end + offsetNanoseconds),
                ], residualNanoseconds: 0, boundNanoseconds: 0, pairs: 0)
        ]
    }

    /// Target steps, in order, each where two stretches meet.
    package var steps: [Step] {
        zip(stretches, stretches.dropFirst()).compactMap { before, after in
            guard let last = before.knots.last else { return nil }
            let cut = last.source + (after.validFrom - last.source) / 2
            let expected = Self.toTarget(cut, before.knots)
            let actual = Self.toTarget(cut, after.knots)
            return Step(atSource: cut, atTarget: expected, sizeNanoseconds: actual - expected)
        }
    }

    /// Source times inside which the bound holds as stated, ns.
    package var validity: ClosedRange<Int64> {
        (stretches.first?.validFrom ?? 0)...(stretches.last?.validUntil ?? 0)
    }

    /// Target time of a source time, ns. Outside the validity window the end pieces are continued (see `bound`).
    package func target(atSource time: Int64) -> Int64 {
        Self.toTarget(time, stretches[stretchIndex(atSource: time)].knots)
    }

    /// Source time of a target time, ns. A time inside the hole left by a forward step maps to the cut; a time that a
    /// backward step shows twice maps to its first showing (`isAmbiguous` says so).
    package func source(atTarget time: Int64) -> Int64 {
        for (index, stretch) in stretches.enumerated() {
            let mapped = Self.toSource(time, stretch.knots)
            if index == stretches.count - 1 { return index == 0 ? mapped : max(mapped, cut(before: index)) }
            let cut = cut(before: index + 1)
            if mapped <= cut { return index == 0 ? mapped : max(mapped, self.cut(before: index)) }
        }
        return time
    }

    /// The target time occurs twice because the target clock was put back.
    package func isAmbiguous(target time: Int64) -> Bool {
        var hits = 0
        for (index, stretch) in stretches.enumerated() {
            let mapped = Self.toSource(time, stretch.knots)
            let after = index == 0 || mapped >= cut(before: index)
            let before = index == stretches.count - 1 || mapped <= cut(before: index + 1)
            if after && before { hits += 1 }
        }
        return hits > 1
    }

    /// Largest error of the mapping at a source time, ns; grows outside the validity window.
    package func bound(atSource time: Int64) -> Int64 {
        let stretch = stretches[stretchIndex(atSource: time)]
        let outside = max(stretch.validFrom - time, time - stretch.validUntil, 0)
        return stretch.boundNanoseconds + Int64((Double(outside) * extrapolationRate).rounded(.up))
    }

    /// Largest bound inside the validity window, ns.
    package var boundNanoseconds: Int64 { stretches.map(\.boundNanoseconds).max() ?? 0 }

    /// Target seconds per source second, minus one, at a source time, in ppm: the source's tick error.
    package func rateErrorPPM(atSource time: Int64) -> Double {
        let knots = stretches[stretchIndex(atSource: time)].knots
        let index = Self.piece(in: knots) { $0.source <= time }
        return Self.rateErrorPPM(knots[index], knots[index + 1])
    }

    /// Rate error over all stretches, ppm, weighted by their length.
    package var meanRateErrorPPM: Double {
        var weight = 0.0
        var sum = 0.0
        for stretch in stretches {
            guard let first = stretch.knots.first, let last = stretch.knots.last else { continue }
            let length = Double(last.source - first.source)
            weight += length
            sum += length * Self.rateErrorPPM(first, last)
        }
        return weight > 0 ? sum / weight : 0
    }

    private static func rateErrorPPM(_ a: Knot, _ b: Knot) -> Double {
        let excess = (b.target - a.target) - (b.source - a.source)
        return Double(excess) / Double(b.source - a.source) * 1e6
    }

    private func cut(before index: Int) -> Int64 {
        let end = stretches[index - 1].validUntil
        return end + (stretches[index].validFrom - end) / 2
    }

    private func stretchIndex(atSource time: Int64) -> Int {
        var index = 0
        while index + 1 < stretches.count, time > cut(before: index + 1) { index += 1 }
        return index
    }

    /// The piece (index of its first knot) that holds a time; the first or last one outside.
    private static func piece(in knots: [Knot], startsBefore: (Knot) -> Bool) -> Int {
        var low = 0
        var high = knots.count - 2
        while low < high {
            let middle = (low + high + 1) / 2
            if startsBefore(knots[middle]) { low = middle } else { high = middle - 1 }
        }
        return low
    }

    private static func toTarget(_ time: Int64, _ knots: [Knot]) -> Int64 {
        let index = piece(in: knots) { $0.source <= time }
        let (a, b) = (knots[index], knots[index + 1])
        return interpolate(time, a.source, b.source, a.target, b.target)
    }

    private static func toSource(_ time: Int64, _ knots: [Knot]) -> Int64 {
        let index = piece(in: knots) { $0.target <= time }
        let (a, b) = (knots[index], knots[index + 1])
        return interpolate(time, a.target, b.target, a.source, b.source)
    }

    /// The line through (x0, y0) and (x1, y1) at `time`, in 128-bit integers, rounded half up.
    private static func interpolate(_ time: Int64, _ x0: Int64, _ x1: Int64, _ y0: Int64, _ y1: Int64) -> Int64 {
        let run = Int128(x1) - Int128(x0)
        let doubled = 2 * (Int128(time) - Int128(x0)) * (Int128(y1) - Int128(y0)) + run
        var quotient = doubled / (2 * run)
        if doubled % (2 * run) < 0 { quotient -= 1 }
        return Int64(clamping: Int128(y0) + quotient)
    }
}
