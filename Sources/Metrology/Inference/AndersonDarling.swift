import Foundation

/// Anderson-Darling test of normality with mean and standard deviation estimated (Stephens 1986).
package enum AndersonDarling {
    /// A² corrected for sample size, and its p value.
    /// - Throws: `tooFewObservations` below 8 values.
    package static func normality(_ values: [Double]) throws(MetrologyError) -> (statistic: Double, p: Double) {
        guard values.count >= 8 else {
            throw .tooFewObservations(what: "Anderson-Darling", found: values.count, needed: 8)
        }
        let n = Double(values.count)
        let mean = values.mean()
        let sd = (values.map { ($0 - mean) * ($0 - mean) }.compensatedSum() / (n - 1)).squareRoot()
        guard sd > 0 else { throw .invalidInput(what: "Anderson-Darling", reason: "all values are equal") }
        let z = values.map { ($0 - mean) / sd }.sorted()
        var sum = CompensatedSum()
        for (i, value) in z.enumerated() {
            let low = log(max(NormalDistribution.cdf(value), Double.leastNormalMagnitude))
            let high = log(max(NormalDistribution.upperTail(z[z.count - 1 - i]), Double.leastNormalMagnitude))
            sum.add(Double(2 * i + 1) * (low + high))
        }
        let a = (-n - sum.value / n) * (1 + 0.75 / n + 2.25 / (n * n))
        let p: Double
        switch a {
        case ..<0.2: p = 1 - exp(-13.436 + 101.14 * a - 223.73 * a * a)
        case ..<0.34: p = 1 - exp(-8.318 + 42.796 * a - 59.938 * a * a)
        case ..<0.6: p = exp(0.9177 - 4.279 * a - 1.38 * a * a)
        default: p = min(1, exp(1.2937 - 5.709 * a + 0.0186 * a * a))
        }
        return (a, p)
    }
}

/// Bootstrap with a seeded generator: the same seed draws the same samples on every machine.
package enum Bootstrap {
    /// Values of a statistic over `draws` samples of `count` indices drawn with replacement.
    package static func replicate(
        count: Int, draws: Int, seed: UInt64, _ statistic: ([Int]) throws -> Double
    ) rethrows -> [Double] {
        var generator = SplitMix64(seed: seed)
        return try (0..<draws).map { _ in
            try statistic((0..<count).map { _ in generator.index(below: count) })
        }
    }
}
