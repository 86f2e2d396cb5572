import Foundation

/// Numbers that say whether a regression can be believed.
package enum RegressionDiagnostics {
    /// Durbin-Watson: near 2 when neighbouring residuals are unrelated.
    package static func durbinWatson(_ residuals: [Double]) -> Double {
        let steps = zip(residuals.dropFirst(), residuals).map { ($0 - $1) * ($0 - $1) }.compensatedSum()
        return steps / residuals.map { $0 * $0 }.compensatedSum()
    }

    /// Breusch-Pagan (Koenker's studentised form): does the squared residual depend on the inputs? n·R², χ² with `columns − 1`.
    package static func breuschPagan(_ a: Matrix, residuals: [Double]) throws(MetrologyError) -> (
        statistic: Double, p: Double
    ) {
        let squares = residuals.map { $0 * $0 }
        let mean = squares.mean()
        let total = squares.map { ($0 - mean) * ($0 - mean) }.compensatedSum()
        guard total > 0, a.columns > 1 else { return (0, 1) }
        let fit = try LinearFit.ordinary(a, squares, refined: false, what: "Breusch-Pagan")
        let statistic = Double(a.rows) * max(0, 1 - fit.rss / total)
        return (statistic, ChiSquaredDistribution.upperTail(statistic, degreesOfFreedom: Double(a.columns - 1)))
    }

    /// Cook's distance of every row, from residuals, leverages, coefficient count and residual variance.
    package static func cooksDistance(residuals: [Double], leverage: [Double], columns: Int, variance: Double)
        -> [Double]
    {
        zip(residuals, leverage).map { r, h in
            let rest = max(1 - h, 1e-12)
            return r * r * h / (Double(columns) * variance * rest * rest)
        }
    }

    /// Variance inflation of the columns `judged`: spread about the group means, over what is left when all other
    /// columns of `a` have explained it. `groups` are the rows' intercept groups (one group: the usual VIF).
    package static func varianceInflation(_ a: Matrix, judged: [Int], groups: [Int]) -> [Double] {
        let gram = PivotedQR(a).inverseGram()
        return judged.map { j in
            var sums: [Int: (count: Double, sum: Double)] = [:]
            for i in 0..<a.rows {
                let old = sums[groups[i]] ?? (0, 0)
                sums[groups[i]] = (old.count + 1, old.sum + a[i, j])
            }
            var spread = CompensatedSum()
            for i in 0..<a.rows {
                let group = sums[groups[i]] ?? (1, 0)
                let d = a[i, j] - group.sum / group.count
                spread.add(d * d)
            }
            return spread.value * gram[j, j]
        }
    }

    /// Bayesian information criterion of a Gaussian fit; only differences on the same data mean anything.
    package static func bic(rss: Double, observations n: Int, parameters k: Int) -> Double {
        Double(n) * natural(rss / Double(n)) + Double(k) * natural(Double(n))
    }
}

private func natural(_ x: Double) -> Double { log(x) }
