/// Least squares with a lower and an upper bound on every coefficient, by active sets
/// (Lawson & Hanson 1974 for x ≥ 0, Stark & Parker 1995 for two bounds); each inner solve is a pivoted QR.
package struct BoundedLeastSquares: Sendable {
    package enum Bound: String, Sendable, Codable { case lower, upper }

    package var coefficients: [Double]
    /// Bound on which each coefficient rests, nil where it is free.
    package var active: [Bound?]
    package var residuals: [Double]
    package var residualNorm: Double { residuals.map { $0 * $0 }.compensatedSum().squareRoot() }

    /// Non-negative least squares.
    package static func nonNegative(_ a: Matrix, _ b: [Double]) throws(MetrologyError) -> BoundedLeastSquares {
        try BoundedLeastSquares(
            a, b, lower: Array(repeating: 0, count: a.columns), upper: Array(repeating: .infinity, count: a.columns))
    }

    /// - Parameters lower, upper: one per column, `lower < upper`; −∞ and ∞ allowed.
    /// - Throws: `invalidInput` for bounds in the wrong order, `notConverged`, and what the inner fits throw.
    package init(_ a: Matrix, _ b: [Double], lower: [Double], upper: [Double]) throws(MetrologyError) {
        let n = a.columns
        guard a.rows == b.count, lower.count == n, upper.count == n, zip(lower, upper).allSatisfy({ $0 < $1 }) else {
            throw .invalidInput(
                what: "bounded least squares", reason: "needs one lower bound below one upper bound per column")
        }
        var active = (0..<n).map { j -> Bound? in lower[j].isFinite ? .lower : (upper[j].isFinite ? .upper : nil) }
        var x = (0..<n).map { active[$0] == .lower ? lower[$0] : (active[$0] == .upper ? upper[$0] : 0) }
        let norms = (0..<n).map { j in a.column(j).map { $0 * $0 }.compensatedSum().squareRoot() }
        let size = b.map { $0 * $0 }.compensatedSum().squareRoot()
        var barred: Set<Int> = []
        var turns = 0

        func solveFree() throws(MetrologyError) {
            while true {
                turns += 1
                guard turns < 30 * (n + 3) else {
                    throw .notConverged(what: "bounded least squares", iterations: turns)
                }
                let free = (0..<n).filter { active[$0] == nil }
                guard !free.isEmpty else { return }
                var fixed = x
                for j in free { fixed[j] = 0 }
                let rest = zip(b, a * fixed).map { $0 - $1 }
                let z = try LinearFit.ordinary(
                    a.selecting(columns: free), rest, refined: false, what: "bounded least squares"
                ).coefficients
                var step = 1.0
                var blocking: (column: Int, bound: Bound)?
                for (k, j) in free.enumerated() {
                    let (limit, bound): (Double, Bound) = z[k] < lower[j] ? (lower[j], .lower) : (upper[j], .upper)
                    guard z[k] < lower[j] || z[k] > upper[j] else { continue }
                    let fraction = z[k] == x[j] ? 0 : (limit - x[j]) / (z[k] - x[j])
                    if fraction < step || blocking == nil {
                        step = min(step, max(0, fraction))
                        blocking = (j, bound)
                    }
                }
                for (k, j) in free.enumerated() { x[j] += step * (z[k] - x[j]) }
                guard let blocking else {
                    for (k, j) in free.enumerated() { x[j] = z[k] }
                    return
                }
                active[blocking.column] = blocking.bound
                x[blocking.column] = blocking.bound == .lower ? lower[blocking.column] : upper[blocking.column]
            }
        }

        if active.contains(where: { $0 == nil }) { try solveFree() }
        while true {
            let residuals = zip(b, a * x).map { $0 - $1 }
            let gradient = a.transposedTimes(residuals)
            var candidate: Int?
            var steepest = 0.0
            for j in 0..<n where !barred.contains(j) && norms[j] > 0 {
                guard let bound = active[j] else { continue }
                let pull = (bound == .lower ? gradient[j] : -gradient[j]) / norms[j]
                if pull > 1e-13 * size, pull > steepest {
                    steepest = pull
                    candidate = j
                }
            }
            guard let column = candidate else { break }
            let was = active[column]
            active[column] = nil
            try solveFree()
            // A column that went straight back only pulled by rounding; leave it until something else has moved.
            if active[column] == was { barred.insert(column) } else { barred.removeAll() }
        }
        coefficients = x
        self.active = active
        residuals = zip(b, a * x).map { $0 - $1 }
    }
}
