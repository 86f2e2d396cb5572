/// The small problems with exact answers: every kind answers with the same keys as the reference list.
enum NumericProblems {
    static func answer(_ problem: ProblemReader, kind: String) throws -> JSONText {
        var answer = problem.document
        for key in outputs[kind] ?? [] { answer.remove(key) }
        switch kind {
        case "hac_mean": try hacMean(problem, &answer)
        case "hac_regression": try hacRegression(problem, &answer)
        case "robust_irls": try robust(problem, &answer)
        case "nnls", "bvls": try bounded(problem, kind, &answer)
        case "isotonic":
            let y = try problem.numbers("y")
            let weights = problem.document["weights"] == nil ? y.map { _ in 1 } : try problem.numbers("weights")
            try problem.sameLength(["y", "weights"], [y.count, weights.count])
            answer.set("fit", .numbers(try IsotonicRegression.fit(y, weights: weights)))
        case "theil_sen":
            let (x, y) = try points(problem)
            let line = try TheilSenLine(x: x, y: y)
            answer.set("slope", .number(line.slope))
            answer.set("intercept_median_minus", .number(line.intercept))
        case "york_line": try york(problem, &answer)
        case "segmented_one_break":
            let (x, y) = try points(problem)
            let line = try SegmentedLine(x: x, y: y)
            answer.set("breakpoint", .number(line.breakpoint))
            answer.set("params_intercept_slope_deltaslope", .numbers(line.parameters))
            answer.set("rss", .number(line.rss))
        default:
            let known = (outputs.keys.sorted() + ["linear", "nonlinear", "univariate", "anova1"]).joined(
                separator: ", ")
            throw problem.fault("unknown kind \"\(kind)\"; known are \(known)", at: "kind")
        }
        return answer
    }

    /// Keys that are answers: removed from the input before work begins, so that none can leak into the output.
    private static let outputs: [String: [String]] = [
        "hac_mean": ["mean", "se_iid", "se_hac_bartlett", "acf1", "geyer_tau", "n_effective_geyer", "true_ratio_var"],
        "hac_regression": ["params", "se_ols", "se_hac_bartlett_no_correction", "se_hc3", "durbin_watson"],
        "robust_irls": ["results", "ols", "lad", "q90"],
        "nnls": ["x", "residual_norm"],
        "bvls": ["x", "cost"],
        "isotonic": ["fit"],
        "theil_sen": ["slope", "intercept_median_minus"],
        "york_line": ["intercept", "slope", "chi2", "se_intercept", "se_slope"],
        "segmented_one_break": ["breakpoint", "params_intercept_slope_deltaslope", "rss"],
    ]

    private static func points(_ problem: ProblemReader) throws -> (x: [Double], y: [Double]) {
        let x = try problem.numbers("x")
        let y = try problem.numbers("y")
        try problem.sameLength(["x", "y"], [x.count, y.count])
        return (x, y)
    }

    private static func lag(_ problem: ProblemReader) throws -> Int {
        guard let lag = Int(exactly: try problem.number("lag")), lag >= 0 else {
            throw problem.fault("expected a whole number, 0 or more", at: "lag")
        }
        return lag
    }

    private static func hacMean(_ problem: ProblemReader, _ answer: inout JSONText) throws {
        let y = try problem.numbers("y")
        let lag = try lag(problem)
        let series = try Autocorrelation(y, maximumLag: max(199, lag))
        // Geyer's sum stops at lag 199 whatever the kernel's lag.
        let geyer = try Autocorrelation(y, maximumLag: 199)
        answer.set("mean", .number(series.mean))
        answer.set("se_iid", .number(series.independentStandardError))
        answer.set("se_hac_bartlett", .number(series.hacStandardError(lag: lag)))
        answer.set("acf1", .number(series.correlation(1)))
        answer.set("geyer_tau", .number(geyer.geyerTau))
        answer.set("n_effective_geyer", .number(geyer.effectiveCount))
    }

    private static func hacRegression(_ problem: ProblemReader, _ answer: inout JSONText) throws {
        let rows = try problem.decimalRows("x").map { $0.map(\.value) }
        let y = try problem.numbers("y")
        try problem.sameLength(["x", "y"], [rows.count, y.count])
        let design = Matrix(rows: rows.map { $0.first == 1 && $0.count > 1 ? $0 : [1] + $0 })
        let fit = try LinearFit.ordinary(design, y)
        func errors(_ covariance: Matrix) -> JSONText { .numbers(covariance.diagonal.map { $0.squareRoot() }) }
        answer.set("params", .numbers(fit.coefficients))
        answer.set("se_ols", .numbers(fit.standardErrors))
        answer.set(
            "se_hac_bartlett_no_correction",
            errors(CovarianceEstimators.hac(design, residuals: fit.residuals, lag: try lag(problem))))
        answer.set("se_hc3", errors(CovarianceEstimators.hc3(design, residuals: fit.residuals)))
        answer.set("durbin_watson", .number(RegressionDiagnostics.durbinWatson(fit.residuals)))
    }

    private static func robust(_ problem: ProblemReader, _ answer: inout JSONText) throws {
        let design = try problem.matrix("X")
        let y = try problem.numbers("y")
        try problem.sameLength(["X", "y"], [design.rows, y.count])
        var results: [(key: String, value: JSONText)] = []
        for (name, weight) in [("huber_1.345", RobustWeight.standardHuber), ("bisquare_4.685", .standardBisquare)] {
            let fit = try RobustFit(design, y, weight: weight)
            results.append(
                (
                    name,
                    .object([
                        ("params", .numbers(fit.coefficients)), ("scale_mad", .number(fit.scale)),
                        ("bse_H1", .numbers(fit.standardErrors)),
                    ])
                ))
        }
        answer.set("results", .object(results))
        answer.set("ols", .numbers(try LinearFit.ordinary(design, y).coefficients))
        for (key, quantile) in [("lad", 0.5), ("q90", 0.9)] {
            answer.set(key, .numbers(try reweightedQuantile(design, y, quantile: quantile)))
            answer.set(key + "_exact", .numbers(try QuantileRegression(design, y, quantile: quantile).coefficients))
        }
    }

    /// Quantile regression by the reweighting that common statistics packages and the supplied answers use: start at ones,
    /// residuals no smaller than 1e-6, stop when no coefficient moves by 1e-6. It stops short of the optimum (three digits
    /// on the sample problem); the optimum itself is printed beside it as `…_exact`, and is what the product uses.
    private static func reweightedQuantile(_ design: Matrix, _ y: [Double], quantile: Double) throws -> [Double] {
        var beta = [Double](repeating: 1, count: design.columns)
        var weights = [Double](repeating: 1, count: y.count)
        for _ in 0..<1000 {
            let next = try LinearFit.weighted(design, y, weights: weights).coefficients
            let moved = zip(next, beta).map { abs($0 - $1) }.max() ?? 0
            beta = next
            if moved <= 1e-6 { break }
            weights = zip(y, design * beta).map { observed, fitted in
                let r = observed - fitted
                let size = max(abs(r), 1e-6)
                return 1 / (r < 0 ? quantile * size : (1 - quantile) * size)
            }
        }
        return beta
    }

    private static func bounded(_ problem: ProblemReader, _ kind: String, _ answer: inout JSONText) throws {
        let a = try problem.matrix("A")
        let b = try problem.numbers("b")
        try problem.sameLength(["A", "b"], [a.rows, b.count])
        if kind == "nnls" {
            let fit = try BoundedLeastSquares.nonNegative(a, b)
            answer.set("x", .numbers(fit.coefficients))
            answer.set("residual_norm", .number(fit.residualNorm))
        } else {
            let fit = try BoundedLeastSquares(
                a, b, lower: try problem.numbers("lower"), upper: try problem.numbers("upper"))
            answer.set("x", .numbers(fit.coefficients))
            answer.set("cost", .number(0.5 * fit.residualNorm * fit.residualNorm))
        }
    }

    private static func york(_ problem: ProblemReader, _ answer: inout JSONText) throws {
        let (x, y) = try points(problem)
        func weights(_ weight: String, _ uncertainty: String) throws -> [Double] {
            if problem.document[weight] != nil {
                let values = try problem.numbers(weight)
                guard values.allSatisfy({ $0 > 0 }) else { throw problem.fault("weights must be positive", at: weight) }
                return values
            }
            let u = try problem.numbers(uncertainty)
            guard u.allSatisfy({ $0 >= 0 }) else {
                throw problem.fault("an uncertainty cannot be negative", at: uncertainty)
            }
            return u.map { 1 / ($0 * $0) }
        }
        let weightX = try weights("weight_x", "ux")
        let weightY = try weights("weight_y", "uy")
        try problem.sameLength(["x", "weight_x", "weight_y"], [x.count, weightX.count, weightY.count])
        let line = try YorkLine(x: x, y: y, weightX: weightX, weightY: weightY)
        answer.set("intercept", .number(line.intercept))
        answer.set("slope", .number(line.slope))
        answer.set("chi2", .number(line.chiSquared))
        answer.set("se_intercept", .number(line.interceptError))
        answer.set("se_slope", .number(line.slopeError))
    }
}
