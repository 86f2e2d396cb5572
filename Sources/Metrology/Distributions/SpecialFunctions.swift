import Foundation

/// Incomplete beta and gamma functions, about 1e-13 relative, by series and continued fractions (Lentz's method).
enum SpecialFunctions {
    private static let tiny = 1e-300

    static func logGamma(_ x: Double) -> Double { lgamma(x) }

    /// I_x(a, b), a, b > 0, 0 ≤ x ≤ 1; `complement` is 1 − x where the caller knows it better than by subtraction.
    static func incompleteBeta(_ a: Double, _ b: Double, _ x: Double, complement: Double? = nil) -> Double {
        let y = complement ?? 1 - x
        if x <= 0 { return 0 }
        if y <= 0 { return 1 }
        let front = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * logOf(x, y) + b * logOf(y, x))
        if x < (a + 1) / (a + b + 2) { return front * betaFraction(a, b, x) / a }
        return 1 - front * betaFraction(b, a, y) / b
    }

    /// ln x, by log1p of the complement where x is near one.
    private static func logOf(_ x: Double, _ complement: Double) -> Double {
        complement < 0.5 ? log1p(-complement) : log(x)
    }

    private static func betaFraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        if abs(d) < tiny { d = tiny }
        d = 1 / d
        var h = d
        for step in 1...10_000 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 + even * d
            if abs(d) < tiny { d = tiny }
            c = 1 + even / c
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            h *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 + odd * d
            if abs(d) < tiny { d = tiny }
            c = 1 + odd / c
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            let factor = d * c
            h *= factor
            if abs(factor - 1) < 1e-16 { break }
        }
        return h
    }

    /// Lower (P) and upper (Q) regularised incomplete gamma functions, a > 0, x ≥ 0.
    static func incompleteGamma(_ a: Double, _ x: Double) -> (lower: Double, upper: Double) {
        if x <= 0 { return (0, 1) }
        let front = exp(-x + a * log(x) - logGamma(a))
        if x < a + 1 {
            var term = 1 / a
            var sum = term
            var n = a
            for _ in 0..<100_000 {
                n += 1
                term *= x / n
                sum += term
                if abs(term) < abs(sum) * 1e-17 { break }
            }
            let lower = sum * front
            return (lower, 1 - lower)
        }
        var b = x + 1 - a
        var c = 1 / tiny
        var d = 1 / b
        var h = d
        for step in 1...100_000 {
            let i = Double(step)
            let an = -i * (i - a)
            b += 2
            d = an * d + b
            if abs(d) < tiny { d = tiny }
            c = b + an / c
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            let factor = d * c
            h *= factor
            if abs(factor - 1) < 1e-16 { break }
        }
        let upper = front * h
        return (1 - upper, upper)
    }

    /// Root of an increasing function, by bisection closing in with secant steps.
    static func increasingRoot(_ low: Double, _ high: Double, _ f: (Double) -> Double) -> Double {
        var (a, b) = (low, high)
        var (fa, fb) = (f(a), f(b))
        for turn in 0..<400 {
            var x = 0.5 * (a + b)
            if turn % 3 != 0, fb > fa {
                let secant = a - fa * (b - a) / (fb - fa)
                if secant > a, secant < b { x = secant }
            }
            let fx = f(x)
            if fx == 0 { return x }
            if fx < 0 { (a, fa) = (x, fx) } else { (b, fb) = (x, fx) }
            if b - a <= 4 * max(abs(a), abs(b)).ulp { break }
        }
        return 0.5 * (a + b)
    }
}
