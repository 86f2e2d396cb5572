/// Result of a linear least-squares fit, with what every later test needs.
package struct LinearFit: Sendable {
    package var coefficients: [Double]
    /// y − A x, in the unit of y (weighted fits: residuals of the weighted system).
    package var residuals: [Double]
    /// Sum of squared residuals.
    package var rss: Double
    /// Rows minus columns.
    package var degreesOfFreedom: Int
    /// (AᵀA)⁻¹; times the residual variance it is the covariance of the coefficients.
    package var inverseGram: Matrix

    /// rss / degrees of freedom; NaN where there are none.
    package var residualVariance: Double { degreesOfFreedom > 0 ? rss / Double(degreesOfFreedom) : .nan }
    package var covariance: Matrix { .scaled(inverseGram, by: residualVariance) }
    package var standardErrors: [Double] { covariance.diagonal.map { $0.squareRoot() } }

    /// Least squares by pivoted QR on unit-norm columns, normally refined until the coefficients stand still.
    /// - Parameters:
    ///   - a: design matrix, rows ≥ columns.
    ///   - b: observations.
    ///   - refined: iterative refinement with residuals in twice the precision (Björck 1967).
    /// - Throws: `tooFewObservations`, `rankDeficient`, `invalidInput` for numbers that are not finite.
    package static func ordinary(
        _ a: Matrix, _ b: [Double], refined: Bool = true, what: String = "least squares"
    ) throws(MetrologyError) -> LinearFit {
        try check(a, b, what: what)
        if refined { return try RefinedLeastSquares(a, b, what: what).fit }
        let qr = PivotedQR(a)
        guard qr.rank == a.columns else {
            throw .rankDeficient(what: what, rank: qr.rank, columns: a.columns)
        }
        let x = qr.solve(b)
        let residuals = zip(b, a * x).map { $0 - $1 }
        return LinearFit(
            coefficients: x, residuals: residuals, rss: residuals.map { $0 * $0 }.compensatedSum(),
            degreesOfFreedom: a.rows - a.columns, inverseGram: qr.inverseGram())
    }

    /// Weighted least squares, weights 1/u²: rows are multiplied by √w.
    package static func weighted(
        _ a: Matrix, _ b: [Double], weights: [Double], refined: Bool = false, what: String = "weighted least squares"
    ) throws(MetrologyError) -> LinearFit {
        guard weights.count == b.count, weights.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw .invalidInput(what: what, reason: "weights must be finite and not negative, one per row")
        }
        let roots = weights.map { $0.squareRoot() }
        return try ordinary(a.scalingRows(by: roots), zip(b, roots).map { $0 * $1 }, refined: refined, what: what)
    }

    private static func check(_ a: Matrix, _ b: [Double], what: String) throws(MetrologyError) {
        guard a.rows == b.count else {
            throw .invalidInput(what: what, reason: "\(a.rows) rows of inputs but \(b.count) observations")
        }
        guard a.columns > 0, a.rows >= a.columns else {
            throw .tooFewObservations(what: what, found: a.rows, needed: max(1, a.columns))
        }
        guard a.elements.allSatisfy(\.isFinite), b.allSatisfy(\.isFinite) else {
            throw .invalidInput(what: what, reason: "an input or observation is not a finite number")
        }
    }
}
