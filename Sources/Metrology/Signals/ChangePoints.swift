import Foundation

/// Changes of level in an evenly spaced series: PELT with squared-error cost, and a penalty that knows the noise is
/// correlated.
///
/// Algorithm: Killick, Fearnhead, Eckley 2012. Penalty: 2 σ² ln n, times `factor`·(1+ρ)/(1−ρ) (calibration.md 2.4): with
/// the plain penalty correlated noise is cut to pieces. σ is the noise's own standard deviation; first differences
/// show only σ·√(1−ρ) of it, and with that smaller figure noise of ρ = 0.85 was still cut.
package struct ChangePoints: Sendable, Equatable {
    /// First index of each new segment, ascending; never 0.
    package var indices: [Int]
    /// Standard deviation of the noise of one value.
    package var sigma: Double
    /// Lag-1 autocorrelation of the noise.
    package var autocorrelation: Double
    package var penalty: Double
    /// Spikes removed before.
    package var spikes: [Int]

    package struct Settings: Sendable, Equatable {
        /// Shortest segment, in values.
        package var shortestSegment = 20
        /// Safety factor on the penalty.
        package var factor = 3.0
        /// Spikes are taken out first unless nil.
        package var hampel: HampelFilter? = HampelFilter()
        package init() {}
    }

    /// - Throws: `tooFewObservations` below two shortest segments or 8 values; `invalidInput` for a value that is not
    ///   finite.
    package static func find(_ values: [Double], settings: Settings = Settings()) throws(MetrologyError) -> ChangePoints
    {
        let needed = max(8, 2 * settings.shortestSegment)
        guard values.count >= needed else {
            throw .tooFewObservations(what: "change points", found: values.count, needed: needed)
        }
        if let bad = values.firstIndex(where: { !$0.isFinite }) {
            throw .invalidInput(what: "change points", reason: "value \(bad + 1) is not a finite number")
        }
        let rough = noise(of: values)
        let (clean, spikes) = settings.hampel?.filter(values, scaleFloor: rough.sigma) ?? (values, [])
        let (sigma, rho) = noise(of: clean)
        let penalty = 2 * sigma * sigma * log(Double(values.count)) * settings.factor * (1 + rho) / (1 - rho)
        let indices = pelt(clean, penalty: penalty, shortest: settings.shortestSegment)
        return ChangePoints(indices: indices, sigma: sigma, autocorrelation: rho, penalty: penalty, spikes: spikes)
    }

    /// σ from the MAD of first differences, corrected for ρ, and ρ from the ratio of the MADs of second-lag and first-lag differences
    /// (for AR(1): 1 + ρ = var(x_{t+2} − x_t) / var(x_{t+1} − x_t)); a few level changes do not touch either.
    package static func noise(of values: [Double]) -> (sigma: Double, autocorrelation: Double) {
        func scale(lag: Int) -> Double {
            guard values.count > lag + 2 else { return 0 }
            let differences = (lag..<values.count).map { values[$0] - values[$0 - lag] }
            let centre = median(differences)
            return 1.4826 * median(differences.map { abs($0 - centre) })
        }
        let first = scale(lag: 1)
        guard first > 0 else { return (0, 0) }
        let second = scale(lag: 2)
        let rho = min(max(second * second / (first * first) - 1, 0), 0.95)
        return (first / (2 * (1 - rho)).squareRoot(), rho)
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    private static func pelt(_ values: [Double], penalty: Double, shortest: Int) -> [Int] {
        let n = values.count
        let mean = values.reduce(0, +) / Double(n)
        var sums = [0.0]
        var squares = [0.0]
        sums.reserveCapacity(n + 1)
        squares.reserveCapacity(n + 1)
        for value in values {
            let centred = value - mean
            sums.append(sums[sums.count - 1] + centred)
            squares.append(squares[squares.count - 1] + centred * centred)
        }
        func cost(_ a: Int, _ b: Int) -> Double {
            let sum = sums[b] - sums[a]
            return squares[b] - squares[a] - sum * sum / Double(b - a)
        }
        let least = max(1, shortest)
        // A penalty of zero (noise-free input) would cut everywhere; rounding sets the smallest sensible one.
        let beta = max(penalty, 1e-12 * max(squares[n], 1e-300))
        var best = [Double](repeating: .infinity, count: n + 1)
        var previous = [Int](repeating: 0, count: n + 1)
        best[0] = -beta
        var candidates: [Int] = [0]
        for end in least...n {
            var value = Double.infinity
            var from = 0
            var costs: [Double] = []
            costs.reserveCapacity(candidates.count)
            for candidate in candidates {
                let total = best[candidate] + cost(candidate, end)
                costs.append(total)
                if total + beta < value {
                    value = total + beta
                    from = candidate
                }
            }
            best[end] = value
            previous[end] = from
            var kept: [Int] = []
            for (index, candidate) in candidates.enumerated() where costs[index] <= value { kept.append(candidate) }
            // A start is opened only when a whole segment fits before and after it.
            let opened = end - least + 1
            if opened >= least, best[opened].isFinite { kept.append(opened) }
            candidates = kept
        }
        var indices: [Int] = []
        var end = n
        while previous[end] > 0 {
            end = previous[end]
            indices.append(end)
        }
        return indices.reversed()
    }
}
