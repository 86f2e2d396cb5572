import Foundation

/// The standard normal distribution.
package enum NormalDistribution {
    package static func cdf(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }
    package static func upperTail(_ z: Double) -> Double { 0.5 * erfc(z / 2.0.squareRoot()) }

    /// z with P(Z ≤ z) = p, 0 < p < 1.
    package static func quantile(_ p: Double) -> Double {
        guard p > 0, p < 1 else { return p <= 0 ? -.infinity : .infinity }
        if p > 0.5 { return -quantileOfUpperTail(1 - p) }
        return quantileOfUpperTail(p) * 1
    }

    /// Lower-half quantile: start from a rational approximation, finish with Halley steps.
    private static func quantileOfUpperTail(_ p: Double) -> Double {
        if p == 0.5 { return 0 }
        let t = (-2 * log(p)).squareRoot()
        var z =
            -(t - (2.515517 + 0.802853 * t + 0.010328 * t * t)
                / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t))
        for _ in 0..<4 {
            let density = exp(-0.5 * z * z) / (2 * Double.pi).squareRoot()
            guard density > 0 else { break }
            let error = (cdf(z) - p) / density
            z -= error / (1 + 0.5 * z * error)
        }
        return z
    }
}

/// Student's t.
package enum StudentDistribution {
    package static func cdf(_ t: Double, degreesOfFreedom v: Double) -> Double {
        let tail = 0.5 * twoSidedTail(t, degreesOfFreedom: v)
        return t > 0 ? 1 - tail : tail
    }

    /// P(|T| > |t|).
    package static func twoSidedTail(_ t: Double, degreesOfFreedom v: Double) -> Double {
        guard v > 0, !t.isNaN else { return .nan }
        guard t.isFinite else { return 0 }
        let x = v / (v + t * t)
        return SpecialFunctions.incompleteBeta(v / 2, 0.5, x, complement: t * t / (v + t * t))
    }

    /// t with P(T ≤ t) = p, 0 < p < 1.
    package static func quantile(_ p: Double, degreesOfFreedom v: Double) -> Double {
        guard p > 0, p < 1 else { return p <= 0 ? -.infinity : .infinity }
        if p == 0.5 { return 0 }
        let tail = 2 * min(p, 1 - p)
        var high = 1.0
        while twoSidedTail(high, degreesOfFreedom: v) > tail, high < 1e300 { high *= 2 }
        let t = SpecialFunctions.increasingRoot(0, high) { tail - twoSidedTail($0, degreesOfFreedom: v) }
        return p < 0.5 ? -t : t
    }
}

/// Fisher's F.
package enum FisherDistribution {
    package static func upperTail(_ f: Double, _ v1: Double, _ v2: Double) -> Double {
        guard f > 0 else { return f.isNaN ? .nan : 1 }
        guard f.isFinite else { return 0 }
        let (a, b) = (v1 * f, v2)
        return SpecialFunctions.incompleteBeta(v2 / 2, v1 / 2, b / (a + b), complement: a / (a + b))
    }

    package static func cdf(_ f: Double, _ v1: Double, _ v2: Double) -> Double {
        guard f > 0 else { return f.isNaN ? .nan : 0 }
        let (a, b) = (v1 * f, v2)
        return SpecialFunctions.incompleteBeta(v1 / 2, v2 / 2, a / (a + b), complement: b / (a + b))
    }

    /// f with P(F ≤ f) = p, 0 < p < 1.
    package static func quantile(_ p: Double, _ v1: Double, _ v2: Double) -> Double {
        guard p > 0, p < 1 else { return p <= 0 ? 0 : .infinity }
        var high = 1.0
        while cdf(high, v1, v2) < p, high < 1e300 { high *= 2 }
        if p > 0.5 { return SpecialFunctions.increasingRoot(0, high) { (1 - p) - upperTail($0, v1, v2) } }
        return SpecialFunctions.increasingRoot(0, high) { cdf($0, v1, v2) - p }
    }
}

/// Chi-squared.
package enum ChiSquaredDistribution {
    package static func cdf(_ x: Double, degreesOfFreedom v: Double) -> Double {
        SpecialFunctions.incompleteGamma(v / 2, x / 2).lower
    }

    package static func upperTail(_ x: Double, degreesOfFreedom v: Double) -> Double {
        SpecialFunctions.incompleteGamma(v / 2, x / 2).upper
    }

    /// x with P(X ≤ x) = p, 0 < p < 1.
    package static func quantile(_ p: Double, degreesOfFreedom v: Double) -> Double {
        guard p > 0, p < 1 else { return p <= 0 ? 0 : .infinity }
        var high = max(1, v)
        while cdf(high, degreesOfFreedom: v) < p, high < 1e300 { high *= 2 }
        if p > 0.5 { return SpecialFunctions.increasingRoot(0, high) { (1 - p) - upperTail($0, degreesOfFreedom: v) } }
        return SpecialFunctions.increasingRoot(0, high) { cdf($0, degreesOfFreedom: v) - p }
    }
}

/// Exact binomial limits (Clopper & Pearson 1934).
package enum ClopperPearson {
    /// Two-sided interval of the proportion, `events` of `trials`, confidence in (0, 1).
    package static func interval(events: Int, trials: Int, confidence: Double = 0.95) -> ClosedRange<Double> {
        let alpha = 1 - confidence
        let lower = events == 0 ? 0 : bound(events, trials, tail: alpha / 2, upper: false)
        let upper = events == trials ? 1 : bound(events, trials, tail: alpha / 2, upper: true)
        return lower...upper
    }

    /// One-sided upper limit: 0 events of 20 at 95 % → 0.139.
    package static func upperLimit(events: Int, trials: Int, confidence: Double = 0.95) -> Double {
        events == trials ? 1 : bound(events, trials, tail: 1 - confidence, upper: true)
    }

    private static func bound(_ k: Int, _ n: Int, tail: Double, upper: Bool) -> Double {
        if upper {
            let (a, b) = (Double(k + 1), Double(n - k))
            return SpecialFunctions.increasingRoot(0, 1) {
                tail - SpecialFunctions.incompleteBeta(b, a, 1 - $0, complement: $0)
            }
        }
        let (a, b) = (Double(k), Double(n - k + 1))
        return SpecialFunctions.increasingRoot(0, 1) { SpecialFunctions.incompleteBeta(a, b, $0) - tail }
    }
}
