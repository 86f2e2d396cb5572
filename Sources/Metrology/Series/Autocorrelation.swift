import Foundation

/// Statistics of a series whose neighbours are related.
package struct Autocorrelation: Sendable {
    package let count: Int
    package let mean: Double
    /// Autocovariances γ_0 … γ_maxLag with divisor n.
    package let autocovariance: [Double]

    /// - Parameter maximumLag: highest lag kept; at most n − 1.
    /// - Throws: `tooFewObservations` below two values, `invalidInput` for numbers that are not finite.
    package init(_ values: [Double], maximumLag: Int) throws(MetrologyError) {
        guard values.count > 1 else {
            throw .tooFewObservations(what: "autocorrelation", found: values.count, needed: 2)
        }
        guard values.allSatisfy(\.isFinite) else {
            throw .invalidInput(what: "autocorrelation", reason: "a value is not a finite number")
        }
        let n = values.count
        count = n
        let mean = values.mean()
        self.mean = mean
        let centred = values.map { $0 - mean }
        autocovariance = (0...min(max(maximumLag, 0), n - 1)).map { lag in
            var sum = CompensatedSum()
            for i in lag..<n { sum.add(centred[i] * centred[i - lag]) }
            return sum.value / Double(n)
        }
    }

    /// ρ_k; zero for a constant series and beyond the lags kept.
    package func correlation(_ lag: Int) -> Double {
        guard lag < autocovariance.count, autocovariance[0] > 0 else { return lag == 0 ? 1 : 0 }
        return autocovariance[lag] / autocovariance[0]
    }

    /// τ = 1 + 2Σρ_k by Geyer's initial positive sequence (1992): pairs are added until a pair sum is not positive.
    /// var(mean) = (σ²/n)·τ.
    package var geyerTau: Double {
        var sum = 0.0
        var lag = 1
        while lag + 1 < autocovariance.count {
            let pair = correlation(lag) + correlation(lag + 1)
            if pair <= 0 { break }
            sum += pair
            lag += 2
        }
        return 1 + 2 * sum
    }

    /// n / τ: how many independent readings the series is worth.
    package var effectiveCount: Double { Double(count) / geyerTau }

    /// Standard error of the mean as if the values were independent (divisor n − 1).
    package var independentStandardError: Double {
        (autocovariance[0] / Double(count - 1)).squareRoot()
    }

    /// Standard error of the mean, Bartlett kernel with `lag`, no small-sample factor (Newey & West 1987).
    package func hacStandardError(lag: Int) -> Double {
        var sum = autocovariance[0]
        for l in 1..<max(2, lag + 1) where l <= lag && l < autocovariance.count {
            sum += 2 * (1 - Double(l) / Double(lag + 1)) * autocovariance[l]
        }
        return (max(sum, 0) / Double(count)).squareRoot()
    }

    /// Lag used by default: ⌊4·(n/100)^(2/9)⌋ or twice the correlation length, whichever is longer, at most n/10.
    package static func defaultLag(count n: Int, tau: Double) -> Int {
        let rule = Int(4 * raised(Double(n) / 100, 2.0 / 9))
        return min(max(rule, Int((2 * tau).rounded(.up))), max(1, n / 10))
    }
}

private func raised(_ x: Double, _ y: Double) -> Double { pow(x, y) }
