import Foundation

/// NIST StRD problems: linear, nonlinear, univariate, one-way analysis of variance.
enum StandardReferenceData {
    static func linear(_ problem: ProblemReader) throws -> JSONText {
        var rows = try problem.decimalRows("x")
        let y = try problem.decimals("y")
        try problem.sameLength(["x", "y"], [rows.count, y.count])
        if let terms = problem.document["terms"]?.array?.map({ $0.text ?? "" }) {
            rows = restoringPowers(rows, terms: terms)
        }
        let what = problem.document["name"]?.text ?? "linear"
        let columns = rows.first?.count ?? 0
        guard rows.count >= columns, columns > 0 else {
            throw MetrologyError.tooFewObservations(what: what, found: rows.count, needed: max(1, columns))
        }
        let high = Matrix(rows: rows.map { $0.map(\.high) })
        let low = Matrix(rows: rows.map { $0.map(\.low) })
        let fit = try RefinedLeastSquares(high, low: low, y, what: what)
        let freedom = rows.count - columns
        let rss = fit.rss.value
        let variance = freedom > 0 ? rss / Double(freedom) : 0
        var answer = head(problem)
        answer.set("params", .numbers(fit.coefficients.map(\.value)))
        answer.set("sd", .numbers(try errors(high, low: low, variance: variance, what: what)))
        answer.set("rss", .number(rss))
        answer.set("rsd", .number(variance.squareRoot()))
        answer.set("r2", .number(rSquared(y, rss: fit.rss, intercept: hasIntercept(problem, rows))))
        answer.set("df", .number("\(freedom)"))
        return answer
    }

    private static func hasIntercept(_ problem: ProblemReader, _ rows: [[DoubleDouble]]) -> Bool {
        if case .bool(let value) = problem.document["intercept"] ?? .null { return value }
        return rows.allSatisfy { $0.first?.value == 1 }
    }

    private static func rSquared(_ y: [DoubleDouble], rss: DoubleDouble, intercept: Bool) -> Double {
        var mean = DoubleDouble.zero
        if intercept {
            for value in y { mean += value }
            mean = mean / DoubleDouble(Double(y.count))
        }
        var total = DoubleDouble.zero
        for value in y { total += (value - mean) * (value - mean) }
        return total.value > 0 ? (DoubleDouble.one - rss / total).value : .nan
    }

    /// Standard errors √(variance·(AᵀA)⁻¹_jj); the inverse's column j is refined as the solution of a least-squares problem:
    /// (AᵀA)⁻¹_jj = 1 / |a_j − projection on the other columns|².
    private static func errors(_ high: Matrix, low: Matrix, variance: Double, what: String) throws(MetrologyError)
        -> [Double]
    {
        var result: [Double] = []
        for j in 0..<high.columns {
            let others = (0..<high.columns).filter { $0 != j }
            let target = (0..<high.rows).map { DoubleDouble(high: high[$0, j], low: low[$0, j]) }
            var left = DoubleDouble.zero
            if others.isEmpty {
                for value in target { left += value * value }
            } else {
                left = try RefinedLeastSquares(
                    high.selecting(columns: others), low: low.selecting(columns: others), target, what: what
                ).rss
            }
            result.append((variance / left.value).squareRoot())
        }
        return result
    }

    /// Where a column is named as a power of another ("x^5"), forms it from the digits of that column: a power already
    /// rounded to a double has lost what an ill-conditioned polynomial needs.
    private static func restoringPowers(_ rows: [[DoubleDouble]], terms: [String]) -> [[DoubleDouble]] {
        guard rows.first?.count == terms.count else { return rows }
        var result = rows
        for (j, term) in terms.enumerated() {
            let parts = term.replacing("**", with: "^").split(separator: "^")
            guard parts.count == 2, let exponent = Int(parts[1]), (2...30).contains(exponent),
                let base = terms.firstIndex(of: String(parts[0]))
            else { continue }
            let powers = rows.map { row in (1..<exponent).reduce(row[base]) { value, _ in value * row[base] } }
            let agree = zip(rows, powers).allSatisfy { abs($0[j].value - $1.value) <= 1e-9 * abs($1.value) }
            if agree { for i in rows.indices { result[i][j] = powers[i] } }
        }
        return result
    }

    static func nonlinear(_ problem: ProblemReader) throws -> JSONText {
        guard let text = problem.document["model"]?.text else {
            throw problem.fault("missing or not text", at: "model")
        }
        guard case .object(let members) = try problem.value("x") else {
            throw problem.fault("expected an object of predictor lists", at: "x")
        }
        let names = members.map(\.key)
        let inner = ProblemReader(file: problem.file, path: problem.path + ".x", document: try problem.value("x"))
        var predictors: [[Double]] = []
        for name in names { predictors.append(try inner.numbers(name)) }
        let model = try ModelExpression(text, predictors: names)
        let y = try response(problem)
        let what = problem.document["name"]?.text ?? "nonlinear"
        var answer = head(problem)
        var starts: [(key: String, value: JSONText)] = []
        var best: NonlinearRegression?
        for key in ["start1", "start2", "start"] where problem.document[key] != nil {
            let fit = try NonlinearRegression(
                model, predictors: predictors, y: y, start: try problem.numbers(key), what: "\(what) from \(key)")
            starts.append(
                (
                    key,
                    .object([
                        ("params", .numbers(fit.parameters)), ("sd", .numbers(fit.standardErrors)),
                        ("rss", .number(fit.rss)),
                        ("orthogonality", .number(fit.orthogonality)), ("converged", .bool(fit.converged)),
                    ])
                ))
            if fit.rss < best?.rss ?? .infinity { best = fit }
        }
        guard let best else { throw problem.fault("no starting values (start1, start2)") }
        answer.set("params", .numbers(best.parameters))
        answer.set("sd", .numbers(best.standardErrors))
        answer.set("rss", .number(best.rss))
        answer.set("rsd", .number(best.residualStandardDeviation))
        answer.set("df", .number("\(best.degreesOfFreedom)"))
        answer.set("from", .object(starts))
        return answer
    }

    /// The response, transformed where the set names a transform ("log(y)") and gives y as it was read.
    private static func response(_ problem: ProblemReader) throws -> [Double] {
        let y = try problem.numbers("y")
        var name = problem.document["response"]?.text ?? "y"
        if name == "y", let model = problem.document["model"]?.text, let equals = model.firstIndex(of: "=") {
            name = String(model[..<equals])
        }
        name = name.trimmingCharacters(in: .whitespaces)
        guard name != "y", let transform = try? ModelExpression(name, predictors: ["y"]),
            name.contains("(") || name.contains("[")
        else { return y }
        // Readings have few digits; a logarithm written down has many and has been taken already.
        let digits = (problem.document["y"]?.array ?? []).map { $0.serialized().count { $0.isNumber } }
        if (digits.map(Double.init).median()) > 11 { return y }
        let transformed = y.map { transform.evaluate(parameters: [], predictors: [$0])?.value }
        guard let values = transformed as? [Double] else {
            throw problem.fault("\(name) is not defined for every y", at: "y")
        }
        return values
    }

    static func univariate(_ problem: ProblemReader) throws -> JSONText {
        let moments = try ExactMoments(try problem.decimals("y"))
        var answer = head(problem)
        answer.set("mean", .number(moments.mean))
        answer.set("sd", .number(moments.standardDeviation))
        answer.set("lag1", .number(moments.lag1))
        return answer
    }

    static func anova(_ problem: ProblemReader) throws -> JSONText {
        let y = try problem.decimals("y")
        guard let labels = try problem.value("group").array else { throw problem.fault("expected a list", at: "group") }
        try problem.sameLength(["group", "y"], [labels.count, y.count])
        var known: [String: Int] = [:]
        let groups = labels.map { label in
            let name = label.serialized()
            let index = known[name] ?? known.count
            known[name] = index
            return index
        }
        let anova = try OneWayAnova(y, groups: groups)
        var answer = head(problem)
        answer.set("F", .number(anova.f))
        answer.set("p", .number(anova.p))
        answer.set(
            "between",
            .numbers([Double(anova.betweenFreedom), anova.betweenSquares, anova.betweenMeanSquare, anova.f]))
        answer.set("within", .numbers([Double(anova.withinFreedom), anova.withinSquares, anova.withinMeanSquare]))
        answer.set("r2", .number(anova.rSquared))
        answer.set("rsd", .number(anova.withinMeanSquare.squareRoot()))
        return answer
    }

    private static func head(_ problem: ProblemReader) -> JSONText {
        var answer = JSONText.object([])
        for key in ["name", "kind"] { if let value = problem.document[key] { answer.set(key, value) } }
        return answer
    }
}
