/// Linear M-estimation by iteratively reweighted least squares.
package struct RobustFit: Sendable {
    package enum Start: Sendable {
        /// Ordinary least squares, the convention of common statistics packages.
        case leastSquares
        /// Least absolute deviations: keeps a bad half-dozen from choosing the local minimum.
        case leastAbsolute
        /// Given coefficients.
        case coefficients([Double])
    }

    package var coefficients: [Double]
    /// y − A x, not weighted.
    package var residuals: [Double]
    /// Final robust weight of every row, 0…1.
    package var weights: [Double]
    /// Median |r| / 0.6745 at the solution.
    package var scale: Double
    /// Huber's first covariance estimate (H1).
    package var covariance: Matrix
    package var standardErrors: [Double] { covariance.diagonal.map { $0.squareRoot() } }

    /// Covariance for a certificate: H1, but no smaller than the weighted residuals allow (the median of a few residuals
    /// is small by luck), and widened for few degrees of freedom so that k = 2 still covers 95 %.
    package var cautiousCovariance: Matrix {
        let p = Double(coefficients.count)
        let kept = weights.reduce(0, +)
        guard kept > p, scale > 0 else { return covariance }
        let spread = zip(weights, residuals).map { $0 * $1 * $1 }.compensatedSum() / (kept - p)
        let few = StudentDistribution.quantile(0.975, degreesOfFreedom: max(kept - p, 1)) / 1.959_963_984_540_054
        return .scaled(covariance, by: max(1, spread / (scale * scale)) * few * few)
    }

    /// - Parameters:
    ///   - leverageAdjusted: divide residuals by √(1 − h) before weighing them, so that a far-out row cannot hide.
    ///   - minimumScale: floor of the scale (resolution of the readings); with exact data the weights stay defined.
    /// - Throws: what the inner fits throw; `notConverged` after 200 turns.
    package init(
        _ a: Matrix, _ b: [Double], weight: RobustWeight = .standardBisquare, start: Start = .leastSquares,
        leverageAdjusted: Bool = false, minimumScale: Double = 0, what: String = "robust fit"
    ) throws(MetrologyError) {
        var x: [Double]
        switch start {
        case .leastSquares: x = try LinearFit.ordinary(a, b, refined: false, what: what).coefficients
        case .leastAbsolute: x = try QuantileRegression(a, b, quantile: 0.5, what: what).coefficients
        case .coefficients(let given): x = given
        }
        let adjustment =
            leverageAdjusted
            ? PivotedQR(a).leverage().map { 1 / max(1e-6, 1 - $0).squareRoot() }
            : [Double](repeating: 1, count: b.count)
        func residual(_ x: [Double]) -> [Double] { zip(b, a * x).map { $0 - $1 } }
        var r = residual(x)
        var weights = [Double](repeating: 1, count: b.count)
        var scale = 0.0
        var turns = 0
        while true {
            let adjusted = zip(r, adjustment).map { $0 * $1 }
            scale = max(RobustWeight.scale(adjusted), minimumScale)
            // An exact fit of more than half the rows leaves no scale: those rows are the answer.
            let size = b.map { abs($0) }.max() ?? 0
            guard scale > 1e-15 * size else {
                weights = r.map { abs($0) <= 1e-12 * size ? 1 : 0 }
                break
            }
            weights = adjusted.map { weight($0 / scale) }
            let next = try LinearFit.weighted(a, b, weights: weights, what: what).coefficients
            let change = zip(a * zip(next, x).map { $0 - $1 }, b).map { abs($0.0) }.max() ?? 0
            x = next
            r = residual(x)
            turns += 1
            if change <= 1e-10 * scale { break }
            guard turns < 200 else {
                // Two rows may trade places at the edge of the weight function without end; the answers differ by less
                // than a hundredth of the scale then, which is far below any standard error.
                if change < 0.01 * scale { break }
                throw .notConverged(what: what, iterations: turns)
            }
        }
        coefficients = x
        residuals = r
        self.weights = weights
        self.scale = max(RobustWeight.scale(zip(r, adjustment).map { $0 * $1 }), minimumScale)
        covariance = Self.covarianceH1(a, r, weight: weight, scale: self.scale)
    }

    private static func covarianceH1(_ a: Matrix, _ r: [Double], weight: RobustWeight, scale: Double) -> Matrix {
        let n = Double(r.count)
        let p = Double(a.columns)
        guard scale > 0, n > p else { return Matrix(rows: a.columns, columns: a.columns) }
        let u = r.map { $0 / scale }
        let derivative = u.map(weight.psiDerivative)
        let mean = derivative.mean()
        let variance = derivative.map { ($0 - mean) * ($0 - mean) }.mean()
        let k = 1 + p / n * variance / (mean * mean)
        let psi = u.map { $0 * weight($0) }
        let spread = psi.map { $0 * $0 }.compensatedSum() / (n - p) * scale * scale
        return .scaled(PivotedQR(a).inverseGram(), by: k * k * spread / (mean * mean))
    }
}
