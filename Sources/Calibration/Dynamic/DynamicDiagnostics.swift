import Foundation
import Metrology

/// The diagnostics table of the dynamic model, computed every time.
enum DynamicDiagnostics {
    static func table(
        _ steps: [DynamicStep], regression: DynamicRegression, groups: [Int], model: DynamicModel
    ) throws -> [Diagnostic] {
        let nb = regression.boards.count
        let nt = regression.terms.count
        let design = regression.weightedDesign
        var found: [Diagnostic] = []

        let condition = PivotedQR.scaledConditionNumber(design)
        found.append(graded("scaled condition number", condition, amber: 15, red: 30, "inputs are nearly collinear"))
        let inflation = RegressionDiagnostics.varianceInflation(
            regression.whitenedDesign, judged: Array(nb..<(nb + nt)), groups: groups)
        found.append(
            graded("largest VIF", inflation.max() ?? 1, amber: 5, red: 10, "inputs move together; vary them apart"))
        found.append(lackOfFit(steps, regression))
        found += trends(steps, regression)

        let kept = regression.robustWeights.indices.filter { regression.robustWeights[$0] >= 0.1 }
        let keptDesign = design.selecting(rows: kept)
        let keptResiduals = kept.map { regression.weightedResiduals[$0] }
        let bp = try RegressionDiagnostics.breuschPagan(keptDesign, residuals: keptResiduals)
        found.append(
            Diagnostic(
                check: "Breusch-Pagan p", value: bp.p, light: bp.p > 0.01 ? .green : .red,
                note: bp.p > 0.01 ? nil : "variance still depends on the inputs: HC3 errors are used"))
        let dw = runDurbinWatson(steps, regression)
        found.append(
            Diagnostic(
                check: "Durbin-Watson", value: dw,
                light: (1.5...2.5).contains(dw) ? .green : ((1.2...2.8).contains(dw) ? .amber : .red),
                note: (1.5...2.5).contains(dw) ? nil : "neighbouring steps are related: drift or settling"))
        let light = Double(regression.robustWeights.filter { $0 < 0.5 }.count) / Double(steps.count)
        found.append(graded("rows weighed below 0.5", light, amber: 0.05, red: 0.15, "see the rows set aside"))
        found += influence(design, regression)
        let bounds = regression.atBound.count
        found.append(
            Diagnostic(
                check: "coefficients at bound", value: Double(bounds),
                light: bounds == 0 ? .green : (bounds == 1 ? .amber : .red),
                note: bounds == 0 ? nil : regression.atBound.map { "\($0.key) = 0" }.joined(separator: ", ")))
        found.append(try leastSquaresAgainstRobust(regression, model))
        if model.leakage.source == .assumed {
            found.append(
                Diagnostic(
                    check: "leakage slope", value: model.leakage.slope.value, light: .amber,
                    note: "assumed, not measured: run the static test and pass its slope"))
        }
        for key in model.undetermined {
            found.append(
                Diagnostic(
                    check: "\(key) determined", value: nil, light: .amber, note: "the steps never vary its input"))
        }
        found += acceptance(model)
        return found
    }

    private static func graded(_ check: String, _ value: Double, amber: Double, red: Double, _ note: String)
        -> Diagnostic
    {
        let light: TrafficLight = value < amber ? .green : (value <= red ? .amber : .red)
        return Diagnostic(check: check, value: value, light: light, note: light == .green ? nil : note)
    }

    /// F of differences between repeated settings against differences within them.
    private static func lackOfFit(_ steps: [DynamicStep], _ regression: DynamicRegression) -> Diagnostic {
        struct Setting: Hashable {
            var board: String
            var f: Int
            var u: Int
            var tx: Int
            var rx: Int
        }
        let usable = steps.indices.filter { regression.robustWeights[$0] >= 0.1 }
        let settings = Dictionary(grouping: usable) { i in
            Setting(
                board: steps[i].board, f: Int(steps[i].frequencyMegahertz.rounded()),
                u: Int((steps[i].utilization * 10).rounded()),
                tx: Int((steps[i].transmitMegabits / 20).rounded()), rx: Int((steps[i].receiveMegabits / 20).rounded()))
        }
        var pure = CompensatedSum()
        var lack = CompensatedSum()
        var relative: [Double] = []
        var pureFreedom = 0
        func sigma(_ i: Int) -> Double {
            (regression.s0 * regression.s0 + regression.s1 * regression.s1 * steps[i].powerWatts * steps[i].powerWatts)
                .squareRoot()
        }
        for rows in settings.values {
            let r = rows.map { regression.residuals[$0] / sigma($0) }
            let mean = r.mean()
            for value in r { pure.add((value - mean) * (value - mean)) }
            lack.add(Double(rows.count) * mean * mean)
            pureFreedom += rows.count - 1
            if rows.count > 1 {
                relative.append(abs(rows.map { regression.residuals[$0] / steps[$0].powerWatts }.mean()))
            }
        }
        let lackFreedom = settings.count - regression.coefficients.count
        guard pureFreedom > 5, lackFreedom > 0, pure.value > 0 else {
            return Diagnostic(
                check: "lack of fit p", value: nil, light: .amber, note: "too few repeated settings to tell")
        }
        let f = (lack.value / Double(lackFreedom)) / (pure.value / Double(pureFreedom))
        let p = FisherDistribution.upperTail(f, Double(lackFreedom), Double(pureFreedom))
        let effect = relative.isEmpty ? 0 : relative.quantile(0.9)
        let light: TrafficLight = p > 0.05 ? .green : (p >= 0.01 || effect <= 0.01 ? .amber : .red)
        return Diagnostic(
            check: "lack of fit p", value: p, light: light,
            note: light == .green
                ? nil
                : "settings differ from the model beyond their repeats, 90 % of them by less than \(percent(effect))")
    }

    private static func percent(_ x: Double) -> String { "\((x * 10_000).rounded() / 100) %" }

    /// HAC t of residuals against order, temperature and power.
    private static func trends(_ steps: [DynamicStep], _ regression: DynamicRegression) -> [Diagnostic] {
        let usable = steps.indices.filter { regression.robustWeights[$0] >= 0.1 }
        let n = Double(usable.count)
        let lag = max(1, Int(4 * power(n / 100, 2.0 / 9)))
        let inputs: [(String, (DynamicStep) -> Double)] = [
            ("order", { Double($0.order) }), ("soc_c", { $0.socCelsius }), ("power", { $0.powerWatts }),
        ]
        return inputs.map { name, key in
            let x = usable.map { key(steps[$0]) }
            let mean = x.mean()
            let design = Matrix(columns: [x.map { _ in 1 }, x.map { $0 - mean }])
            let y = usable.map { regression.residuals[$0] / steps[$0].powerWatts }
            guard let fit = try? LinearFit.ordinary(design, y, refined: false) else {
                return Diagnostic(
                    check: "residual trend against \(name), HAC t", value: nil, light: .amber,
                    note: "\(name) does not vary")
            }
            let error = CovarianceEstimators.hac(design, residuals: fit.residuals, lag: lag)[1, 1].squareRoot()
            let t = fit.coefficients[1] / error
            let span = (x.max() ?? 0) - (x.min() ?? 0)
            let effect = abs(fit.coefficients[1]) * span / 2
            let light: TrafficLight = abs(t) < 2.6 ? .green : (abs(t) <= 4 || effect <= 0.005 ? .amber : .red)
            return Diagnostic(
                check: "residual trend against \(name), HAC t", value: t, light: light,
                note: light == .green ? nil : "up to \(percent(effect)) of power over its range")
        }
    }

    /// Durbin-Watson inside runs: steps of two boards are not neighbours.
    private static func runDurbinWatson(_ steps: [DynamicStep], _ regression: DynamicRegression) -> Double {
        let usable = steps.indices.filter { regression.robustWeights[$0] >= 0.1 }
        let runs = Dictionary(grouping: usable) { "\(steps[$0].board)/\(steps[$0].replicate)" }
        var differences = CompensatedSum()
        var squares = CompensatedSum()
        var pairs = 0
        for rows in runs.values {
            let ordered = rows.sorted { steps[$0].order < steps[$1].order }
            let r = ordered.map { regression.weightedResiduals[$0] }
            for value in r { squares.add(value * value) }
            for (a, b) in zip(r.dropFirst(), r) { differences.add((a - b) * (a - b)) }
            pairs += max(0, r.count - 1)
        }
        guard pairs > 0, squares.value > 0 else { return 2 }
        return differences.value / squares.value * Double(usable.count) / Double(pairs)
    }

    private static func influence(_ design: Matrix, _ regression: DynamicRegression) -> [Diagnostic] {
        let leverage = PivotedQR(design).leverage()
        let p = design.columns
        let ratio = (leverage.max() ?? 0) / (Double(p) / Double(design.rows))
        let variance =
            regression.weightedResiduals.map { $0 * $0 }.compensatedSum()
            / max(regression.robustWeights.reduce(0, +) - Double(p), 1)
        let cook =
            RegressionDiagnostics.cooksDistance(
                residuals: regression.weightedResiduals, leverage: leverage, columns: p, variance: variance
            ).max() ?? 0
        return [
            Diagnostic(
                check: "largest leverage over mean", value: ratio, light: ratio < 3 ? .green : .amber,
                note: ratio < 3 ? nil : "single steps decide a coefficient; repeat them"),
            Diagnostic(
                check: "largest Cook's distance", value: cook, light: cook < 0.5 ? .green : (cook <= 1 ? .amber : .red),
                note: cook < 0.5 ? nil : "one step moves the whole fit"),
        ]
    }

    private static func leastSquaresAgainstRobust(
        _ regression: DynamicRegression, _ model: DynamicModel
    ) throws -> Diagnostic {
        let ols = try LinearFit.ordinary(
            regression.whitenedDesign, regression.whitenedResponse, refined: false, what: "least squares check")
        let errors = ols.standardErrors
        let nb = regression.boards.count
        let apart =
            regression.terms.indices.map { abs(ols.coefficients[nb + $0] - regression.slopes[$0]) / errors[nb + $0] }
            .max() ?? 0
        return graded(
            "least squares against robust, SE apart", apart, amber: 2, red: 4,
            "bad rows pull the plain fit; the robust one is used")
    }

    private static func acceptance(_ model: DynamicModel) -> [Diagnostic] {
        var rows: [Diagnostic] = [
            limit("in-sample MAPE %", model.inSample.meanAbsolutePercent, good: 0.7, accept: 2)
        ]
        if let kFold = model.kFold {
            rows.append(limit("k-fold MAPE %", kFold.meanAbsolutePercent, good: 1, accept: 3))
        }
        if !model.leaveOneBoardOutAnchored.isEmpty {
            let mean = model.leaveOneBoardOutAnchored.values.map(\.meanAbsolutePercent).mean()
            rows.append(limit("leave-one-board-out MAPE %, idle anchored", mean, good: 1.5, accept: 5))
        }
        return rows
    }

    private static func limit(_ check: String, _ value: Double, good: Double, accept: Double) -> Diagnostic {
        let light: TrafficLight = value <= good ? .green : (value <= accept ? .amber : .red)
        return Diagnostic(
            check: check, value: value, light: light,
            note: light == .green
                ? nil : (light == .amber ? "accepted, not yet good (\(good))" : "above the limit \(accept)"))
    }
}

private func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
