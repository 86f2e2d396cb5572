import Foundation

/// Finds a sync pattern in a power trace: correlation for the place, least squares over lag and one time constant for
/// the sub-millisecond, and gates that refuse what is not clearly it (calibration.md 2.5).
package struct SyncSearch: Sendable {
    /// The trace: mean power or current over `width` seconds about each time. Times ascending, s, on the trace's clock.
    package struct Signal: Sendable {
        package var times: [Double]
        package var values: [Double]
        /// Averaging time of one value, s.
        package var width: Double
        package init(times: [Double], values: [Double], width: Double) {
            self.times = times
            self.values = values
            self.width = width
        }
    }

    package struct Settings: Sendable, Equatable {
        /// How far from the expected place to look, s.
        package var reachSeconds = 2.0
        /// Smallest correlation peak over the root mean square of the side lobes.
        package var leastPeakRatio = 8.0
        /// The same for patterns below 31 chips, whose side lobes are higher by nature.
        package var leastPeakRatioShort = 4.5
        /// Least share of the signal's variance over the pattern that the fitted pattern explains.
        package var leastExplained = 0.8
        /// Smallest step between idle and busy, in the unit of the signal.
        package var leastStep = 1.0
        /// Least share of the pattern that must be covered by samples.
        package var leastCoverage = 0.6
        package init() {}
    }

    package struct Match: Sendable, Equatable {
        /// Begin of the pattern on the trace's clock, s.
        package var beginSeconds: Double
        /// Standard uncertainty of it, s.
        package var uncertaintySeconds: Double
        /// Time constant of the supply, s.
        package var tauSeconds: Double
        /// Step from idle to busy, unit of the signal.
        package var step: Double
        package var peakRatio: Double
        /// Share of the signal's variance that the fitted pattern explains.
        package var explained: Double
        /// Share of the pattern covered by samples.
        package var coverage: Double
    }

    package var settings = Settings()
    package init(settings: Settings = Settings()) { self.settings = settings }

    /// - Parameter expected: where the pattern should begin, s on the trace's clock.
    /// - Throws: `patternNotFound` with the gate that failed.
    package func find(_ pattern: SyncPattern, near expected: Double, in signal: Signal) throws(TimebaseError) -> Match {
        let margin = settings.reachSeconds + 1
        let grid = 0.01
        let begin = expected - margin
        let means = Means(signal, from: begin, until: expected + pattern.durationSeconds + margin, width: grid)
        let coarse = correlate(pattern, means, grid: grid)
        guard let peak = coarse.indices.max(by: { coarse[$0] < coarse[$1] }), coarse[peak] > 0 else {
            throw .patternNotFound(pattern: pattern.name, reason: "the trace has no samples there")
        }
        let coverage = means.coverage(from: peak, count: Int(pattern.durationSeconds / grid))
        guard coverage >= settings.leastCoverage else {
            throw .patternNotFound(
                pattern: pattern.name, reason: "only \(Int(coverage * 100)) % of it is covered by samples")
        }
        let guardWidth = Int(pattern.chipSeconds / grid)
        let lobes = coarse.indices.filter { abs($0 - peak) > guardWidth }.map { coarse[$0] * coarse[$0] }
        let rms = (lobes.reduce(0, +) / Double(max(lobes.count, 1))).squareRoot()
        let ratio = rms > 0 ? coarse[peak] / rms : .infinity
        var match = try refine(pattern, near: begin + Double(peak) * grid, in: signal)
        match.peakRatio = ratio
        match.coverage = coverage
        let least = pattern.chips.count < 31 ? settings.leastPeakRatioShort : settings.leastPeakRatio
        guard ratio >= least else {
            throw .patternNotFound(
                pattern: pattern.name,
                reason: "its correlation peak is \(rounded(ratio)) times the side lobes, "
                    + "\(rounded(least)) are needed")
        }
        guard match.explained >= settings.leastExplained else {
            throw .patternNotFound(
                pattern: pattern.name,
                reason: "it explains only \(Int(match.explained * 100)) % of the signal's variation there")
        }
        guard match.step >= settings.leastStep else {
            throw .patternNotFound(
                pattern: pattern.name,
                reason: "its step is \(rounded(match.step)), at least \(rounded(settings.leastStep)) is needed")
        }
        return match
    }

    private func rounded(_ value: Double) -> String { String((value * 100).rounded() / 100) }

    /// Zero-mean pattern against means, from the earliest place on.
    private func correlate(_ pattern: SyncPattern, _ means: Means, grid: Double) -> [Double] {
        let perChip = Int((pattern.chipSeconds / grid).rounded())
        let length = perChip * pattern.chips.count
        guard means.values.count > length else { return [] }
        let chips = pattern.centred
        // Chip sums from a running sum: 63 additions per place instead of 630 products.
        var running: [Double] = [0]
        running.reserveCapacity(means.values.count + 1)
        var sum = 0.0
        for value in means.values {
            sum += value
            running.append(sum)
        }
        return (0...(means.values.count - length)).map { place in
            var total = 0.0
            for (index, chip) in chips.enumerated() {
                let first = place + index * perChip
                total += chip * (running[first + perChip] - running[first])
            }
            return total
        }
    }

    /// Least squares over lag and time constant; offset, step and slope are projected out.
    private func refine(
        _ pattern: SyncPattern, near start: Double, in signal: Signal
    ) throws(TimebaseError) -> Match {
        let from = start - 0.3
        let until = start + pattern.durationSeconds + 0.2
        let range = signal.times.partition(from: from, until: until)
        let times = Array(signal.times[range])
        let values = Array(signal.values[range])
        guard times.count >= 4 * pattern.chips.count else {
            throw .patternNotFound(pattern: pattern.name, reason: "too few samples")
        }
        let projection = TemplateProjection(times: times, values: values, width: signal.width)
        var best = (cost: Double.infinity, lag: start, tau: 0.002)
        for offset in stride(from: -0.015, through: 0.015, by: 0.001) {
            let cost = projection.residuals(SyncTemplate(pattern, tau: 0.002), begin: start + offset).cost
            if cost < best.cost { best = (cost, start + offset, 0.002) }
        }
        var damping = 1e-3
        var scale = projection.residuals(SyncTemplate(pattern, tau: best.tau), begin: best.lag)
        var information = 0.0
        for _ in 0..<40 {
            let h = 2e-5
            func residuals(_ lag: Double, _ logTau: Double) -> [Double] {
                projection.residuals(SyncTemplate(pattern, tau: exp(logTau)), begin: lag).values
            }
            let logTau = log(best.tau)
            let lagUp = residuals(best.lag + h, logTau)
            let lagDown = residuals(best.lag - h, logTau)
            let tauUp = residuals(best.lag, logTau + 0.01)
            let tauDown = residuals(best.lag, logTau - 0.01)
            var (a, b, c, ga, gb) = (0.0, 0.0, 0.0, 0.0, 0.0)
            for index in scale.values.indices {
                let dLag = (lagUp[index] - lagDown[index]) / (2 * h)
                let dTau = (tauUp[index] - tauDown[index]) / 0.02
                a += dLag * dLag
                b += dLag * dTau
                c += dTau * dTau
                ga += dLag * scale.values[index]
                gb += dTau * scale.values[index]
            }
            information = a - b * b / max(c, 1e-300)
            let (ad, cd) = (a * (1 + damping), c * (1 + damping))
            let determinant = ad * cd - b * b
            guard determinant > 0 else { break }
            let lag = best.lag - (cd * ga - b * gb) / determinant
            let tau = exp(min(max(logTau - (ad * gb - b * ga) / determinant, log(1e-5)), log(0.2)))
            let next = projection.residuals(SyncTemplate(pattern, tau: tau), begin: lag)
            if next.cost < best.cost {
                let moved = abs(lag - best.lag)
                best = (next.cost, lag, tau)
                scale = next
                damping = max(damping / 5, 1e-9)
                if moved < 1e-8 { break }
            } else {
                damping *= 8
                if damping > 1e6 { break }
            }
        }
        // Residuals are the board's own variation, correlated over tens of ms: about a tenth are independent.
        let variance = best.cost / Double(max(times.count - 5, 1)) * 10
        let u = information > 0 ? (variance / information).squareRoot() : 1e-3
        return Match(
            beginSeconds: best.lag, uncertaintySeconds: max(u, 2e-5), tauSeconds: best.tau, step: scale.step,
            peakRatio: 0, explained: 1 - best.cost / max(projection.signalSquare, 1e-300), coverage: 0)
    }
}

extension Array where Element == Double {
    /// Indices of an ascending array with `from` <= value < `until`.
    func partition(from: Double, until: Double) -> Range<Int> {
        func lower(_ limit: Double) -> Int {
            var low = 0
            var high = count
            while low < high {
                let middle = (low + high) / 2
                if self[middle] < limit { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let begin = lower(from)
        return begin..<Swift.max(begin, lower(until))
    }
}
