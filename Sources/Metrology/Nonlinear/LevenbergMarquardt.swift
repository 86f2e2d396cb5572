import Foundation

/// Nonlinear least squares with optional bounds (Levenberg 1944, Marquardt 1963; damping after Nielsen 1999).
///
/// Every step is a QR of the Jacobian stacked on the damping rows; normal equations are never formed.
package struct LevenbergMarquardt: Sendable {
    /// How steps in different parameters are made comparable.
    package enum Scaling: Sendable, CaseIterable {
        /// Largest column norm of the Jacobian seen so far (MINPACK's choice).
        case largestColumnNorm
        /// Column norm of the present Jacobian (Marquardt's choice).
        case presentColumnNorm
    }

    /// Residuals and Jacobian ∂r/∂x at a point; nil where the model is not finite there.
    package struct Evaluation {
        package var residuals: [Double]
        package var jacobian: Matrix

        package init(residuals: [Double], jacobian: Matrix) {
            self.residuals = residuals
            self.jacobian = jacobian
        }
    }

    package struct Solution: Sendable {
        package var parameters: [Double]
        package var rss: Double
        package var residuals: [Double]
        package var jacobian: Matrix
        package var iterations: Int
        /// Largest cosine between the residual vector and a free column of the Jacobian: 0 at a minimum.
        package var orthogonality: Double
        package var converged: Bool
    }

    package var scaling = Scaling.largestColumnNorm
    /// Damping at the start, relative to the scaled Jacobian's diagonal.
    package var initialDamping = 1e-3
    package var maximumIterations = 2000
    /// Bends every step along the model's second derivative (geodesic acceleration, Transtrum & Sethna 2012): follows
    /// narrow curved valleys in tens of steps where straight steps need thousands.
    package var accelerates = false
    package var lower: [Double]?
    package var upper: [Double]?

    package init() {}

    /// - Throws: `invalidInput` if the model cannot be evaluated at the start.
    package func minimize(
        from start: [Double], what: String = "nonlinear least squares", _ evaluate: ([Double]) -> Evaluation?
    ) throws(MetrologyError) -> Solution {
        var x = start
        for j in x.indices { x[j] = clamp(x[j], j) }
        guard var at = evaluate(x) else {
            throw .invalidInput(what: what, reason: "the model is not finite at the starting values \(start)")
        }
        var rss = Self.square(at.residuals)
        var damping = initialDamping
        var growth = 2.0
        var largest = [Double](repeating: 0, count: x.count)
        var turn = 0
        var quiet = 0
        var converged = false
        search: while turn < maximumIterations {
            turn += 1
            let free = freeColumns(x, at)
            guard !free.isEmpty else {
                converged = true
                break
            }
            let norms = (0..<x.count).map { Self.square(at.jacobian.column($0)).squareRoot() }
            for j in x.indices { largest[j] = max(largest[j], norms[j]) }
            let weight = scaling == .largestColumnNorm ? largest : norms
            var step: [Double] = []
            var predicted = 0.0
            while true {
                guard let (candidate, gain, qr) = dampedStep(at, free: free, weight: weight, damping: damping) else {
                    damping *= growth
                    growth *= 2
                    if !damping.isFinite || damping > 1e120 { break search }
                    continue
                }
                (step, predicted) = (candidate, gain)
                if accelerates {
                    step = accelerated(step, x: x, at, free: free, weight: weight, qr: qr, evaluate)
                }
                break
            }
            var next = x
            for j in x.indices { next[j] = clamp(x[j] + step[j], j) }
            let relative = zip(next, x).map { abs($0 - $1) / max(abs($0), abs($1), 1e-300) }.max() ?? 0
            let trial = evaluate(next)
            let trialSquares = trial.map { Self.square($0.residuals) } ?? .infinity
            let ratio = (rss - trialSquares) / max(predicted, Double.leastNormalMagnitude)
            if let trial, trialSquares.isFinite, trialSquares <= rss, ratio > 1e-4 || relative < 1e-10 {
                let drop = rss - trialSquares
                x = next
                at = trial
                rss = trialSquares
                damping = max(damping * max(1.0 / 9, 1 - pow(2 * min(ratio, 1.5) - 1, 3)), 1e-20)
                growth = 2
                quiet = relative < 1e-13 || drop <= 1e-15 * rss && relative < 1e-7 ? quiet + 1 : 0
                if quiet >= 3 || rss == 0 {
                    converged = true
                    break
                }
            } else {
                if relative < 1e-15 {
                    converged = true
                    break
                }
                damping *= growth
                growth *= 2
                if damping > 1e120 { break }
            }
        }
        let cosine = orthogonality(x, at)
        return Solution(
            parameters: x, rss: rss, residuals: at.residuals, jacobian: at.jacobian, iterations: turn,
            orthogonality: cosine, converged: converged || cosine < 1e-8)
    }

    private static func square(_ v: [Double]) -> Double { v.map { $0 * $0 }.compensatedSum() }

    private func clamp(_ value: Double, _ j: Int) -> Double {
        min(max(value, lower?[j] ?? -.infinity), upper?[j] ?? .infinity)
    }

    /// Parameters that may move: not those on a bound whose descent points outward, nor those the residuals ignore.
    private func freeColumns(_ x: [Double], _ at: Evaluation) -> [Int] {
        x.indices.filter { j in
            let column = at.jacobian.column(j)
            guard column.contains(where: { $0 != 0 }) else { return false }
            let slope = zip(column, at.residuals).map { $0 * $1 }.compensatedSum()
            if let low = lower?[j], x[j] <= low, slope >= 0 { return false }
            if let high = upper?[j], x[j] >= high, slope <= 0 { return false }
            return true
        }
    }

    /// Minimiser of |r + J s|² + λ |D s|² over the free parameters, and the reduction the linear model promises.
    private func dampedStep(
        _ at: Evaluation, free: [Int], weight: [Double], damping: Double
    ) -> (step: [Double], predicted: Double, qr: PivotedQR)? {
        let m = at.jacobian.rows
        var stacked = Matrix(rows: m + free.count, columns: free.count)
        for (k, j) in free.enumerated() {
            for i in 0..<m { stacked[i, k] = at.jacobian[i, j] }
            stacked[m + k, k] = damping.squareRoot() * weight[j]
        }
        let qr = PivotedQR(stacked)
        guard qr.rank == free.count else { return nil }
        let s = qr.solve(at.residuals.map { -$0 } + [Double](repeating: 0, count: free.count))
        guard s.allSatisfy(\.isFinite) else { return nil }
        var step = [Double](repeating: 0, count: weight.count)
        for (k, j) in free.enumerated() { step[j] = s[k] }
        let js = at.jacobian * step
        // |r|² − |r + Js|² = |Js|² + 2 λ|Ds|² at the damped minimiser.
        let penalty = free.map { damping * weight[$0] * weight[$0] * step[$0] * step[$0] }.compensatedSum()
        return (step, Self.square(js) + 2 * penalty, qr)
    }

    /// The step v with half the second-order correction a added, where a is small against v.
    private func accelerated(
        _ v: [Double], x: [Double], _ at: Evaluation, free: [Int], weight: [Double], qr: PivotedQR,
        _ evaluate: ([Double]) -> Evaluation?
    ) -> [Double] {
        let h = 0.1
        guard let ahead = evaluate(zip(x, v).map { $0 + h * $1 }) else { return v }
        let jv = at.jacobian * v
        let bend = at.residuals.indices.map { i in
            2 / h * ((ahead.residuals[i] - at.residuals[i]) / h - jv[i])
        }
        let a = qr.solve(bend.map { -$0 } + [Double](repeating: 0, count: free.count))
        guard a.allSatisfy(\.isFinite) else { return v }
        var lengthA = 0.0
        var lengthV = 0.0
        for (k, j) in free.enumerated() {
            lengthA += weight[j] * weight[j] * a[k] * a[k]
            lengthV += weight[j] * weight[j] * v[j] * v[j]
        }
        guard lengthA <= 0.75 * 0.75 * lengthV else { return v }
        var step = v
        for (k, j) in free.enumerated() { step[j] += 0.5 * a[k] }
        return step
    }

    private func orthogonality(_ x: [Double], _ at: Evaluation) -> Double {
        let size = Self.square(at.residuals).squareRoot()
        guard size > 0 else { return 0 }
        return freeColumns(x, at).map { j in
            let column = at.jacobian.column(j)
            let dot = zip(column, at.residuals).map { $0 * $1 }.compensatedSum()
            return abs(dot) / (Self.square(column).squareRoot() * size)
        }.max() ?? 0
    }
}
