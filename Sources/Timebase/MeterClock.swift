/// Relates a meter's counter to the host clock from packet arrivals: lower envelope per window, joined continuously,
/// cut where the host clock was stepped.
///
/// Method: calibration.md 2.5. Arrival is never early, so the envelope is the clock plus the smallest delay; that
/// constant (sample age and transfer, up to about 1 ms) stays in the mapping and is part of the bound.
package struct MeterClock: Sendable {
    /// One packet: the counter of its last sample and its arrival, ns on each clock.
    package struct Pair: Sendable, Equatable {
        package var meterNanoseconds: Int64
        package var hostNanoseconds: Int64
        package init(meterNanoseconds: Int64, hostNanoseconds: Int64) {
            self.meterNanoseconds = meterNanoseconds
            self.hostNanoseconds = hostNanoseconds
        }
    }

    package struct Settings: Sendable, Equatable {
        /// Length of a fit window, s.
        package var windowSeconds = 600.0
        /// Length of a block in the search for host steps, s.
        package var stepBlockSeconds = 2.0
        /// A change of the block minimum above this is a step, s.
        package var stepThresholdSeconds = 5e-3
        /// The smallest delay between a sample and its arrival is not larger than this, s. Part of the bound.
        package var smallestDelayBoundSeconds = 1e-3
        /// Fewest pairs to fit a stretch with.
        package var fewestPairs = 5
        package init() {}
    }

    package var settings = Settings()
    package init(settings: Settings = Settings()) { self.settings = settings }

    /// - Parameters:
    ///   - pairs: in any order; repeats do no harm.
    ///   - source: the meter's clock.
    /// - Throws: `tooFewPairs` below `fewestPairs` distinct counters.
    package func fit(_ pairs: [Pair], source: ClockName, target: ClockName = .host) throws(TimebaseError) -> ClockFit {
        let sorted = pairs.sorted {
            ($0.meterNanoseconds, $0.hostNanoseconds) < ($1.meterNanoseconds, $1.hostNanoseconds)
        }
        guard let first = sorted.first, let last = sorted.last, sorted.count >= settings.fewestPairs,
            last.meterNanoseconds > first.meterNanoseconds
        else { throw .tooFewPairs(source: source, found: sorted.count, needed: settings.fewestPairs) }
        let relative = sorted.map { pair in
            let counter = pair.meterNanoseconds - first.meterNanoseconds
            return ClockSteps.Pair(
                counter: counter, excess: Double(pair.hostNanoseconds - first.hostNanoseconds - counter))
        }
        let cuts = ClockSteps.cuts(
            in: relative, blockNanoseconds: Int64(settings.stepBlockSeconds * 1e9),
            thresholdNanoseconds: settings.stepThresholdSeconds * 1e9)
        let edges = [0] + cuts + [relative.count]
        let parts = zip(edges, edges.dropFirst()).map { relative[$0..<$1] }
        let common = LowerEnvelope.commonSlope(of: parts.map { envelope(of: $0) }) ?? 0
        var stretches: [ClockFit.Stretch] = []
        for part in parts {
            guard
                let stretch = stretch(
                    part, commonSlope: common, origin: (first.meterNanoseconds, first.hostNanoseconds),
                    shared: parts.count > 1)
            else { continue }
            stretches.append(stretch)
        }
        return try ClockFit(source: source, target: target, stretches: stretches)
    }

    private func envelope(of part: ArraySlice<ClockSteps.Pair>) -> LowerEnvelope {
        LowerEnvelope(part.lazy.map { LowerEnvelope.Point(x: Double($0.counter), y: $0.excess) })
    }

    /// One stretch: a line per window; knots at the windows' borders at the mean height of the two lines.
    private func stretch(
        _ part: ArraySlice<ClockSteps.Pair>, commonSlope: Double, origin: (meter: Int64, host: Int64), shared: Bool
    ) -> ClockFit.Stretch? {
        guard let first = part.first, let last = part.last, last.counter > first.counter else { return nil }
        let windows = windows(of: part)
        var lines: [(slope: Double, envelope: LowerEnvelope)] = []
        for window in windows {
            let envelope = envelope(of: window)
            // A short stretch beside a step, or a thin window, has no rate of its own: it borrows the common one.
            let own = shared && windows.count == 1 ? nil : envelope.slope
            lines.append((own ?? commonSlope, envelope))
        }
        func height(_ index: Int, _ x: Int64) -> Double {
            lines[index].envelope.support(slope: lines[index].slope, at: Double(x))
        }
        var points: [(x: Int64, excess: Double)] = [(first.counter, height(0, first.counter))]
        for index in windows.indices.dropFirst() {
            guard let end = windows[index - 1].last, let begin = windows[index].first else { continue }
            let border = end.counter + (begin.counter - end.counter) / 2
            points.append((border, (height(index - 1, border) + height(index, border)) / 2))
        }
        points.append((last.counter, height(lines.count - 1, last.counter)))
        let knots = points.map {
            ClockFit.Knot(source: origin.meter + $0.x, target: origin.host + $0.x + Int64($0.excess.rounded()))
        }
        let (rms, spread) = residuals(of: part, about: points)
        let bound = settings.smallestDelayBoundSeconds * 1e9 + spread
        return ClockFit.Stretch(
            knots: knots, residualNanoseconds: rms, boundNanoseconds: Int64(bound.rounded(.up)), pairs: part.count)
    }

    /// Equal parts of about the window length, none with fewer than 25 pairs unless it is the only one.
    private func windows(of part: ArraySlice<ClockSteps.Pair>) -> [ArraySlice<ClockSteps.Pair>] {
        guard let first = part.first, let last = part.last else { return [] }
        let length = last.counter - first.counter
        let count = max(1, Int((Double(length) * 1e-9 / settings.windowSeconds).rounded()))
        let width = max(1, length / Int64(count))
        var result: [ArraySlice<ClockSteps.Pair>] = []
        var begin = part.startIndex
        for number in 1...count {
            let limit = number == count ? Int64.max : first.counter + width * Int64(number)
            var end = begin
            while end < part.endIndex, part[end].counter < limit { end += 1 }
            guard end > begin else { continue }
            let span = part[end - 1].counter - part[begin].counter
            let thin = end - begin < 25 || span < width / 4
            if thin, let previous = result.last {
                result[result.count - 1] = part[previous.startIndex..<end]
                begin = end
            } else if !thin || number == count {
                result.append(part[begin..<end])
                begin = end
            }
        }
        return result.isEmpty ? [part] : result
    }

    /// Root mean square about the fit, and how far the true line may lie from it: the largest minimum of a block (the
    /// envelope rides there that much below the cloud), the deepest point below the joined line, and the 5 % quantile
    /// of the residuals (how sharp the lower edge of the cloud is).
    private func residuals(
        of part: ArraySlice<ClockSteps.Pair>, about points: [(x: Int64, excess: Double)]
    ) -> (rms: Double, spread: Double) {
        var piece = 0
        var square = 0.0
        var deepest = 0.0
        var largestMinimum = 0.0
        var blockMinimum = Double.infinity
        let blockSize = max(10, min(500, part.count / 12))
        var all: [Double] = []
        all.reserveCapacity(part.count)
        for (number, pair) in part.enumerated() {
            while piece + 2 < points.count, pair.counter > points[piece + 1].x { piece += 1 }
            let a = points[piece]
            let b = points[piece + 1]
            let line = a.excess + (b.excess - a.excess) * Double(pair.counter - a.x) / Double(max(b.x - a.x, 1))
            let residual = pair.excess - line
            square += residual * residual
            deepest = max(deepest, -residual)
            blockMinimum = min(blockMinimum, residual)
            if (number + 1) % blockSize == 0 {
                largestMinimum = max(largestMinimum, blockMinimum)
                blockMinimum = .infinity
            }
            all.append(residual)
        }
        if blockMinimum.isFinite, part.count < blockSize { largestMinimum = max(largestMinimum, blockMinimum) }
        all.sort()
        let edge = max(0, all[all.count / 20])
        return ((square / Double(part.count)).squareRoot(), max(largestMinimum, deepest) + edge)
    }
}
