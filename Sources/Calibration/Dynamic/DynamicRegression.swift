import Metrology

/// The shared coefficients of the dynamic model, in the order of its columns.
package enum DynamicTerm: Int, CaseIterable, Sendable {
    case clock, uncore, core, transmit, receive

    package var key: String {
        switch self {
        case .clock: "k_clk"
        case .uncore: "c_unc"
        case .core: "c_core"
        case .transmit: "e_tx"
        case .receive: "e_rx"
        }
    }

    func value(of step: DynamicStep) -> Double {
        switch self {
        case .clock: step.switching
        case .uncore: step.switching * min(1, max(0, step.utilization))
        case .core: step.switching * max(0, step.utilization)
        case .transmit: step.transmitMegabits
        case .receive: step.receiveMegabits
        }
    }
}

/// Regression at the heart of the dynamic model: one intercept per board, shared slopes not below zero, bisquare weights,
/// a variance that grows with power. The leakage slope is given, never fitted: temperature follows power.
struct DynamicRegression {
    var boards: [String]
    /// Terms that the data vary; the others have no coefficient.
    var terms: [DynamicTerm]
    /// Intercept of every board at 50 °C, W, in the order of `boards`.
    var intercepts: [Double]
    /// Coefficients in the order of `terms`.
    var slopes: [Double]
    var robustWeights: [Double]
    var residuals: [Double]
    /// Standard deviation of one step: `s0² + (s1·P)²`.
    var s0: Double
    var s1: Double
    var atBound: [DynamicTerm]
    /// Design (boards then terms) with rows divided by the modelled standard deviation and by the robust weight.
    var weightedDesign: Matrix
    var weightedResiduals: [Double]
    var whitenedDesign: Matrix
    var whitenedResponse: [Double]

    struct Start {
        var s0 = 0.006
        var s1 = 0.003
        var coefficients: [Double]?
        /// Rounds of the variance model; 0 keeps s0 and s1.
        var varianceRounds = 3
    }

    init(_ steps: [DynamicStep], leakage: Double, start: Start = Start(), what: String = "dynamic model") throws {
        boards = Set(steps.map(\.board)).sorted()
        let index = Dictionary(uniqueKeysWithValues: boards.enumerated().map { ($1, $0) })
        terms = DynamicTerm.allCases.filter { term in steps.contains { term.value(of: $0) > 0 } }
        let columns = boards.count + terms.count
        guard steps.count > columns + 2 else {
            throw MetrologyError.tooFewObservations(what: what, found: steps.count, needed: columns + 3)
        }
        var design = Matrix(rows: steps.count, columns: columns)
        var response: [Double] = []
        for (i, step) in steps.enumerated() {
            design[i, index[step.board] ?? 0] = 1
            for (k, term) in terms.enumerated() { design[i, boards.count + k] = term.value(of: step) }
            response.append(step.powerWatts - leakage * (step.socCelsius - 50))
        }
        (s0, s1) = (start.s0, start.s1)
        var coefficients = start.coefficients
        var fit: RobustFit?
        var sigma: [Double] = []
        for round in 0...max(0, start.varianceRounds) {
            sigma = steps.map { [s0, s1] in (s0 * s0 + s1 * s1 * $0.powerWatts * $0.powerWatts).squareRoot() }
            let inverse = sigma.map { 1 / $0 }
            let a = design.scalingRows(by: inverse)
            let b = zip(response, inverse).map { $0 * $1 }
            let next = try RobustFit(
                a, b, start: coefficients.map { .coefficients($0) } ?? .leastAbsolute, leverageAdjusted: true,
                what: what)
            fit = next
            coefficients = next.coefficients
            if round < start.varianceRounds {
                let residual = zip(response, design * next.coefficients).map { $0 - $1 }
                (s0, s1) = Self.varianceModel(residual, power: steps.map(\.powerWatts))
            }
        }
        guard let fit, var solution = coefficients else { throw MetrologyError.notConverged(what: what, iterations: 0) }
        let inverse = sigma.map { 1 / $0 }
        whitenedDesign = design.scalingRows(by: inverse)
        whitenedResponse = zip(response, inverse).map { $0 * $1 }
        robustWeights = fit.weights
        let roots = robustWeights.map { $0.squareRoot() }
        weightedDesign = whitenedDesign.scalingRows(by: roots)
        let weightedResponse = zip(whitenedResponse, roots).map { $0 * $1 }
        atBound = []
        if solution[boards.count...].contains(where: { $0 < 0 }) {
            let free = [Double](repeating: -.infinity, count: boards.count)
            let bounded = try BoundedLeastSquares(
                weightedDesign, weightedResponse, lower: free + [Double](repeating: 0, count: terms.count),
                upper: [Double](repeating: .infinity, count: columns))
            solution = bounded.coefficients
            for (k, term) in terms.enumerated() where bounded.active[boards.count + k] != nil { atBound.append(term) }
        }
        intercepts = Array(solution.prefix(boards.count))
        slopes = Array(solution.dropFirst(boards.count))
        residuals = zip(response, design * solution).map { $0 - $1 }
        weightedResiduals = zip(weightedResponse, weightedDesign * solution).map { $0 - $1 }
    }

    var coefficients: [Double] { intercepts + slopes }

    /// Power of a step without leakage and intercept, W.
    func dynamicPower(_ step: DynamicStep) -> Double {
        zip(terms, slopes).map { $0.value(of: step) * $1 }.reduce(0, +)
    }

    /// `s² = s0² + (s1·P)²` from robust variances of groups of rows sorted by power, non-negative.
    static func varianceModel(_ residuals: [Double], power: [Double]) -> (s0: Double, s1: Double) {
        let sorted = residuals.indices.sorted { power[$0] < power[$1] }
        let overall = max(RobustWeight.scale(residuals), 1e-6)
        let groups = min(10, residuals.count / 20)
        guard groups >= 3 else { return (overall, 0) }
        var rows: [[Double]] = []
        var response: [Double] = []
        for g in 0..<groups {
            let part = sorted[(g * sorted.count / groups)..<((g + 1) * sorted.count / groups)]
            let variance = { (s: Double) in s * s }(RobustWeight.scale(part.map { residuals[$0] }))
            let meanSquare = part.map { power[$0] * power[$0] }.mean()
            // Relative error of a variance is the same in every group: weigh by 1/variance.
            let weight = 1 / max(variance, 0.01 * overall * overall)
            rows.append([weight, weight * meanSquare])
            response.append(weight * variance)
        }
        guard let fit = try? BoundedLeastSquares.nonNegative(Matrix(rows: rows), response) else { return (overall, 0) }
        let (v0, v1) = (fit.coefficients[0], fit.coefficients[1])
        guard v0 + v1 > 0 else { return (overall, 0) }
        // A floor under s0: readings have a resolution even where ten groups agree by chance.
        return (max(v0, 0.01 * overall * overall).squareRoot(), v1.squareRoot())
    }
}
