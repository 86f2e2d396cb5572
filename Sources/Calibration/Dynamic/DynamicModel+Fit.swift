import Metrology

extension DynamicModel {
    /// Fits a fleet. Pure: rows in, model out; the same rows, options and seed give the same model.
    /// - Throws: `CalibrationError.badInput` for a board without idle rows, `notEnough`; `MetrologyError` from the fits.
    package static func fit(
        _ all: [DynamicStep], options: Options = Options(), file: String = "steps"
    ) throws -> DynamicModel {
        let steps = all.filter { !$0.throttled }
        try check(steps, all, file: file)
        let lambda = options.leakage.slope
        let regression = try DynamicRegression(steps, leakage: lambda.value, what: file)
        let boards = regression.boards
        let nb = boards.count
        let nt = regression.terms.count
        let groups = steps.map { step in boards.firstIndex(of: step.board) ?? 0 }

        let hc3 = CovarianceEstimators.hc3(regression.weightedDesign, residuals: regression.weightedResiduals)
        let cluster = CovarianceEstimators.clustered(
            regression.weightedDesign, residuals: regression.weightedResiduals, clusters: groups)
        var shape = hc3
        // Few clusters give a rough covariance: take the shape from the rows and the size from whichever says more.
        if nb >= 4 { shape = inflated(hc3, by: cluster) }
        var bootstrap: Matrix?
        if options.bootstrap == .always || (options.bootstrap == .whenBoundsAreActive && !regression.atBound.isEmpty) {
            let drawn = try DynamicBootstrap.covariance(
                steps, regression: regression, leakage: lambda.value, draws: options.bootstrapDraws, seed: options.seed)
            bootstrap = drawn
            if !regression.atBound.isEmpty { shape = inflated(drawn, by: Matrix(rows: nb + nt, columns: nb + nt)) }
        }

        let gains = boardGains(steps, regression, leakage: lambda.value)
        let sensitivity = try leakageSensitivity(steps, regression)
        // θ = (intercepts, λ, slopes); λ's error moves all of them together.
        var joint = Matrix(rows: nb + 1 + nt, columns: nb + 1 + nt)
        func place(_ j: Int) -> Int { j < nb ? j : j + 1 }
        for i in 0..<(nb + nt) { for j in 0..<(nb + nt) { joint[place(i), place(j)] = shape[i, j] } }
        var direction = [Double](repeating: 0, count: nb + 1 + nt)
        for j in 0..<(nb + nt) { direction[place(j)] = sensitivity[j] }
        direction[nb] = 1
        for i in direction.indices {
            for j in direction.indices { joint[i, j] += lambda.u * lambda.u * direction[i] * direction[j] }
        }
        // To the seven named parameters: P_base is the mean of the intercepts.
        var map = Matrix(rows: parameterNames.count, columns: nb + 1 + nt)
        for j in 0..<nb { map[0, j] = 1 / Double(nb) }
        map[1, nb] = 1
        for (k, term) in regression.terms.enumerated() { map[2 + term.rawValue, nb + 1 + k] = 1 }
        let named = map * joint * map.transposed

        var parameters = [regression.intercepts.mean(), lambda.value] + [Double](repeating: 0, count: 5)
        for (k, term) in regression.terms.enumerated() { parameters[2 + term.rawValue] = regression.slopes[k] }
        func errors(_ matrix: Matrix) -> [String: Double] {
            var table: [String: Double] = [:]
            for (k, term) in regression.terms.enumerated() {
                table[term.key] = max(matrix[nb + k, nb + k], 0).squareRoot()
            }
            var mean = 0.0
            for i in 0..<nb { for j in 0..<nb { mean += matrix[i, j] / Double(nb * nb) } }
            table["P_base"] = max(mean, 0).squareRoot()
            return table
        }

        let predicted = zip(steps, regression.residuals).map { $0.powerWatts - $1 }
        let withGains = steps.map { step -> Double in
            guard let board = gains[step.board] else { return .nan }
            return board.interceptWithGainWatts + lambda.value * (step.socCelsius - 50)
                + board.shrunkGain.value * regression.dynamicPower(step)
        }
        let measured = steps.map(\.powerWatts)
        var model = DynamicModel(
            parameters: parameters, covariance: (0..<named.rows).map(named.row), hc3Errors: errors(hc3),
            clusterErrors: errors(cluster), bootstrapErrors: bootstrap.map(errors),
            undetermined: DynamicTerm.allCases.filter { !regression.terms.contains($0) }.map(\.key),
            activeBounds: regression.atBound.map(\.key), leakage: options.leakage, boards: [:],
            betweenBoardInterceptWatts: standardDeviation(regression.intercepts),
            betweenBoardGain: betweenSpread(gains.values.map(\.gain)), stepNoise: [regression.s0, regression.s1],
            validity: ValidityRanges(steps), rowsUsed: steps.count, rowsThrottled: all.count - steps.count,
            setAside: zip(steps, regression.robustWeights).filter { $0.1 < 0.1 }.map {
                SetAside(line: $0.0.line, reason: "step of \($0.0.board) off the model, robust weight below 0.1")
            },
            inSample: PredictionErrors(predicted: predicted, measured: measured),
            inSampleWithGains: PredictionErrors(predicted: withGains, measured: measured), kFold: nil,
            leaveOneBoardOutAnchored: [:], leaveOneBoardOut: [:], diagnostics: [])
        for (b, name) in boards.enumerated() {
            guard var board = gains[name] else { continue }
            board.interceptWatts = Estimate(value: regression.intercepts[b], u: max(joint[b, b], 0).squareRoot())
            model.boards[name] = board
        }
        var notValidated: String?
        if options.validates {
            let start = DynamicRegression.Start(
                s0: regression.s0, s1: regression.s1, coefficients: nil, varianceRounds: 0)
            do {
                let validation = try DynamicValidation(
                    steps, leakage: lambda.value, start: start, seed: options.seed, file: file)
                model.kFold = validation.kFold
                model.leaveOneBoardOut = validation.unanchored
                model.leaveOneBoardOutAnchored = validation.anchored
            } catch {
                // Few boards or steps: the fit stands, only nobody can say how well it carries over.
                notValidated = "\(error)"
            }
        }
        model.diagnostics = try DynamicDiagnostics.table(steps, regression: regression, groups: groups, model: model)
        if let notValidated {
            model.diagnostics.append(
                Diagnostic(check: "cross-validation", value: nil, light: .amber, note: "not possible: \(notValidated)"))
        }
        return model
    }

    private static func check(_ steps: [DynamicStep], _ all: [DynamicStep], file: String) throws {
        guard !all.isEmpty else { throw CalibrationError.notEnough(what: file, reason: "no steps") }
        for board in Set(all.map(\.board)).sorted() {
            let first = all.first { $0.board == board }
            guard steps.contains(where: { $0.board == board }) else {
                throw CalibrationError.badInput(
                    file: file, line: first?.line,
                    reason: "every step of board \(board) was throttled; cool it and repeat")
            }
            guard steps.contains(where: { $0.board == board && $0.isIdle }) else {
                throw CalibrationError.badInput(
                    file: file, line: first?.line,
                    reason:
                        "board \(board) has no idle step (utilisation below 0.05, no traffic); without it the board has no anchor"
                )
            }
        }
    }

    /// ∂coefficients/∂λ at fixed weights.
    private static func leakageSensitivity(_ steps: [DynamicStep], _ regression: DynamicRegression) throws -> [Double] {
        let sigma = steps.map {
            (regression.s0 * regression.s0 + regression.s1 * regression.s1 * $0.powerWatts * $0.powerWatts).squareRoot()
        }
        let target = steps.indices.map {
            -(steps[$0].socCelsius - 50) / sigma[$0] * regression.robustWeights[$0].squareRoot()
        }
        return try LinearFit.ordinary(regression.weightedDesign, target, refined: false, what: "leakage").coefficients
    }

    /// Each board's own ratio of dynamic power, by a robust line of its rows on the shared prediction.
    private static func boardGains(
        _ steps: [DynamicStep], _ regression: DynamicRegression, leakage: Double
    ) -> [String: BoardDynamic] {
        struct Line {
            var gain: Estimate
            var rows: [DynamicStep]
        }
        var lines: [String: Line] = [:]
        for board in regression.boards {
            let rows = steps.filter { $0.board == board }
            let sigma = rows.map {
                (regression.s0 * regression.s0 + regression.s1 * regression.s1 * $0.powerWatts * $0.powerWatts)
                    .squareRoot()
            }
            let inverse = sigma.map { 1 / $0 }
            let design = Matrix(columns: [rows.map { _ in 1 }, rows.map(regression.dynamicPower)]).scalingRows(
                by: inverse)
            let response = zip(rows, inverse).map { ($0.powerWatts - leakage * ($0.socCelsius - 50)) * $1 }
            if rows.count >= 6, let fit = try? RobustFit(design, response, start: .leastAbsolute) {
                lines[board] = Line(
                    gain: Estimate(value: fit.coefficients[1], u: fit.cautiousCovariance[1, 1].squareRoot()), rows: rows
                )
            } else {
                lines[board] = Line(gain: Estimate(value: 1, u: 1), rows: rows)
            }
        }
        let mean = lines.values.map(\.gain.value).mean()
        let tau = lines.count > 1 ? betweenSpread(lines.values.map(\.gain)) : 0
        return lines.mapValues { line in
            let own = line.gain.u
            let pull = tau * tau + own * own > 0 ? tau * tau / (tau * tau + own * own) : 0
            let shrunk = Estimate(value: 1 + pull * (line.gain.value - mean), u: (pull * own * own).squareRoot())
            let rest = line.rows.map {
                $0.powerWatts - leakage * ($0.socCelsius - 50) - shrunk.value * regression.dynamicPower($0)
            }
            return BoardDynamic(
                interceptWatts: Estimate(value: 0, u: 0), gain: Estimate(value: line.gain.value / mean, u: own / mean),
                shrunkGain: shrunk, interceptWithGainWatts: rest.median(), rows: line.rows.count,
                idleRows: line.rows.filter(\.isIdle).count)
        }
    }

    /// Spread between boards beyond what the boards' own uncertainties explain.
    static func betweenSpread(_ values: [Estimate]) -> Double {
        guard values.count > 1 else { return 0 }
        let scatter = standardDeviation(values.map(\.value))
        let own = values.map { $0.u * $0.u }.mean()
        return max(0, scatter * scatter - own).squareRoot()
    }

    static func standardDeviation(_ values: [Double]) -> Double {
        guard values.count > 1 else { return 0 }
        let mean = values.mean()
        return (values.map { ($0 - mean) * ($0 - mean) }.compensatedSum() / Double(values.count - 1)).squareRoot()
    }

    /// `base` with every row and column widened to the larger standard error of the two.
    static func inflated(_ base: Matrix, by other: Matrix) -> Matrix {
        let factors = (0..<base.rows).map { j in
            base[j, j] > 0 ? max(1, (max(other[j, j], 0) / base[j, j]).squareRoot()) : 1
        }
        var result = base
        for i in 0..<base.rows { for j in 0..<base.columns { result[i, j] *= factors[i] * factors[j] } }
        return result
    }
}
