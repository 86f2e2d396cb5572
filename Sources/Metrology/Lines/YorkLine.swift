/// A straight line through points uncertain in both directions (York, Evensen, López Martínez, De Basabe Delgado 2004).
package struct YorkLine: Sendable {
    package let intercept: Double
    package let slope: Double
    package let interceptError: Double
    package let slopeError: Double
    /// Covariance of intercept and slope.
    package let covariance: Double
    /// Weighted sum of squared distances; n − 2 degrees of freedom.
    package let chiSquared: Double

    /// - Parameters:
    ///   - weightX, weightY: 1/u² of every coordinate; `.infinity` in x means exactly known.
    ///   - correlations: correlation of the two errors of each point; nil for none.
    /// - Throws: `tooFewObservations`, `invalidInput`, `notConverged`.
    package init(
        x: [Double], y: [Double], weightX: [Double], weightY: [Double], correlations: [Double]? = nil
    ) throws(MetrologyError) {
        let n = x.count
        guard n >= 2, y.count == n, weightX.count == n, weightY.count == n, correlations?.count ?? n == n else {
            throw .tooFewObservations(
                what: "York line", found: min(n, y.count, weightX.count, weightY.count), needed: max(2, n))
        }
        guard weightX.allSatisfy({ $0 > 0 }), weightY.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw .invalidInput(what: "York line", reason: "weights must be positive")
        }
        let r = correlations ?? [Double](repeating: 0, count: n)
        let start = try LinearFit.weighted(
            Matrix(columns: [x.map { _ in 1 }, x]), y, weights: weightY, what: "York line")
        var b = start.coefficients[1]
        // 1/ωx and 1/ωy carry infinite weights without NaN.
        let varianceX = weightX.map { 1 / $0 }
        let varianceY = weightY.map { 1 / $0 }
        func pass(_ b: Double) -> (w: [Double], beta: [Double], xBar: Double, yBar: Double) {
            let shared = (0..<n).map { r[$0] * (varianceX[$0] * varianceY[$0]).squareRoot() }
            let w = (0..<n).map { 1 / (varianceY[$0] + b * b * varianceX[$0] - 2 * b * shared[$0]) }
            let total = w.compensatedSum()
            let xBar = zip(w, x).map { $0 * $1 }.compensatedSum() / total
            let yBar = zip(w, y).map { $0 * $1 }.compensatedSum() / total
            let beta = (0..<n).map { i in
                let (u, v) = (x[i] - xBar, y[i] - yBar)
                return w[i] * (u * varianceY[i] + b * v * varianceX[i] - (b * u + v) * shared[i])
            }
            return (w, beta, xBar, yBar)
        }
        var turns = 0
        while true {
            let (w, beta, xBar, yBar) = pass(b)
            let numerator = (0..<n).map { w[$0] * beta[$0] * (y[$0] - yBar) }.compensatedSum()
            let denominator = (0..<n).map { w[$0] * beta[$0] * (x[$0] - xBar) }.compensatedSum()
            let next = numerator / denominator
            guard next.isFinite else {
                throw .invalidInput(what: "York line", reason: "the points have no spread in x")
            }
            let moved = abs(next - b)
            b = next
            turns += 1
            if moved <= 1e-15 * abs(b) { break }
            guard turns < 1000 else {
                if moved <= 1e-12 * abs(b) { break }
                throw .notConverged(what: "York line", iterations: turns)
            }
        }
        let (w, beta, xBar, yBar) = pass(b)
        let total = w.compensatedSum()
        let a = yBar - b * xBar
        let adjusted = beta.map { xBar + $0 }
        let adjustedMean = zip(w, adjusted).map { $0 * $1 }.compensatedSum() / total
        let spread = zip(w, adjusted).map { $0 * ($1 - adjustedMean) * ($1 - adjustedMean) }.compensatedSum()
        slope = b
        intercept = a
        slopeError = (1 / spread).squareRoot()
        interceptError = (1 / total + adjustedMean * adjustedMean / spread).squareRoot()
        covariance = -adjustedMean / spread
        chiSquared = (0..<n).map { w[$0] * (y[$0] - b * x[$0] - a) * (y[$0] - b * x[$0] - a) }.compensatedSum()
    }
}
