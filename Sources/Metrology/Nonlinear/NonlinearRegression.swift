/// Fit of a model text to data, from a given start, by several damped strategies of which the lowest sum of squares wins.
package struct NonlinearRegression: Sendable {
    package var parameters: [Double]
    package var standardErrors: [Double]
    package var rss: Double
    package var degreesOfFreedom: Int
    package var residualStandardDeviation: Double { (rss / Double(max(degreesOfFreedom, 1))).squareRoot() }
    /// Cosine between residuals and the nearest column of the Jacobian: 0 at a minimum.
    package var orthogonality: Double
    /// How many of the strategies reached this minimum.
    package var agreeing: Int
    package var converged: Bool

    /// - Parameters:
    ///   - predictors: one array per predictor of the model, each as long as `y`.
    /// - Throws: `invalidInput` for lengths that do not fit or a start where no strategy can begin.
    package init(
        _ model: ModelExpression, predictors: [[Double]], y: [Double], start: [Double], what: String
    ) throws(MetrologyError) {
        guard predictors.count == model.predictors.count, predictors.allSatisfy({ $0.count == y.count }) else {
            throw .invalidInput(what: what, reason: "every predictor needs \(y.count) values")
        }
        guard start.count >= model.parameterCount else {
            throw .invalidInput(
                what: what, reason: "\(start.count) starting values for \(model.parameterCount) parameters")
        }
        guard y.count > start.count else {
            throw .tooFewObservations(what: what, found: y.count, needed: start.count + 1)
        }
        let rows = y.indices.map { i in predictors.map { $0[i] } }
        func evaluate(_ b: [Double]) -> LevenbergMarquardt.Evaluation? {
            var residuals = [Double](repeating: 0, count: y.count)
            var jacobian = Matrix(rows: y.count, columns: b.count)
            for i in y.indices {
                guard let (value, gradient) = model.evaluate(parameters: b, predictors: rows[i]) else { return nil }
                residuals[i] = value - y[i]
                for j in b.indices { jacobian[i, j] = gradient[j] }
            }
            return .init(residuals: residuals, jacobian: jacobian)
        }
        var found: [LevenbergMarquardt.Solution] = []
        var failure: MetrologyError?
        // All of them run: several may agree on a minimum that is not the lowest (BoxBOD from its first start).
        for (damping, accelerates) in [(1e-3, false), (1e-3, true), (1, false), (1e-7, false), (10, true)] {
            for scaling in LevenbergMarquardt.Scaling.allCases {
                var solver = LevenbergMarquardt()
                solver.scaling = scaling
                solver.initialDamping = damping
                solver.accelerates = accelerates
                do throws(MetrologyError) {
                    found.append(try solver.minimize(from: start, what: what, evaluate))
                } catch {
                    failure = error
                }
            }
        }
        guard let best = found.min(by: { $0.rss < $1.rss }) else {
            throw failure ?? .notConverged(what: what, iterations: 0)
        }
        let final = Self.polished(best, evaluate)
        parameters = final.parameters
        rss = final.rss
        degreesOfFreedom = y.count - start.count
        orthogonality = final.orthogonality
        agreeing = found.count { $0.rss <= best.rss * (1 + 1e-6) + 1e-300 }
        converged = found.contains { $0.rss == best.rss && $0.converged } || final.converged
        let qr = PivotedQR(final.jacobian)
        let variance = final.rss / Double(max(degreesOfFreedom, 1))
        standardErrors =
            qr.rank == final.jacobian.columns
            ? qr.inverseGram().diagonal.map { ($0 * variance).squareRoot() }
            : [Double](repeating: .infinity, count: start.count)
    }

    /// Undamped Gauss-Newton steps while they keep shrinking. The sum of squares is flat to rounding around the minimum,
    /// so it can place the parameters to half the digits only; the vanishing step places them to nearly all.
    private static func polished(
        _ best: LevenbergMarquardt.Solution, _ evaluate: ([Double]) -> LevenbergMarquardt.Evaluation?
    ) -> LevenbergMarquardt.Solution {
        var solution = best
        var last = Double.infinity
        for _ in 0..<30 {
            let qr = PivotedQR(solution.jacobian)
            guard qr.rank == solution.jacobian.columns else { break }
            let step = qr.solve(solution.residuals.map { -$0 })
            let size = zip(step, solution.parameters).map { abs($0) / max(abs($1), 1e-300) }.max() ?? 0
            guard size.isFinite, size < 0.7 * last, size < 1e-2 else { break }
            let next = zip(solution.parameters, step).map { $0 + $1 }
            guard let at = evaluate(next) else { break }
            let rss = at.residuals.map { $0 * $0 }.compensatedSum()
            guard rss <= solution.rss * (1 + 1e-9) else { break }
            last = size
            solution.parameters = next
            solution.residuals = at.residuals
            solution.jacobian = at.jacobian
            solution.rss = rss
            if size == 0 { break }
        }
        let norm = solution.rss.squareRoot()
        solution.orthogonality =
            (0..<solution.jacobian.columns).map { j in
                let column = solution.jacobian.column(j)
                let length = column.map { $0 * $0 }.compensatedSum().squareRoot()
                guard length > 0, norm > 0 else { return 0 }
                return abs(zip(column, solution.residuals).map { $0 * $1 }.compensatedSum()) / (length * norm)
            }.max() ?? 0
        solution.converged = solution.converged || solution.orthogonality < 1e-8
        return solution
    }
}
