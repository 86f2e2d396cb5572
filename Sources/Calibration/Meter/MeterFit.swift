import Metrology

/// Calibration of one channel: `reading = offset + gain·true + quad·true²`.
package struct MeterFit: Sendable, Codable, Equatable {
    package enum Method: String, Sendable, Codable {
        case effectiveVariance, errorsInVariables, robust
    }

    package var channel: MeterChannel
    package var method: Method
    package var offset: Double
    package var gain: Double
    /// Zero unless the quadratic is significant and changes a corrected value by more than 0.02 % of the range.
    package var quad: Double
    /// Covariance of (offset, gain[, quad]); the reference's common gain error is in it.
    package var covariance: [[Double]]
    /// Reference values covered, lowest and highest, and the temperature the calibration holds at.
    package var range: [Double]
    package var temperatureCelsius: Double?
    package var points: Int
    /// Robust standard deviation of residuals, V or A, and the largest residual of a good point in its own uncertainties.
    package var residualDeviation: Double
    package var largestResidualOverU: Double
    package var referenceGainError: Double
    package var quadEstimate: Estimate?
    package var pNonlinearity: Double?
    package var pHysteresis: Double?
    package var hysteresis: Double?
    package var pLackOfFit: Double?
    package var pDrift: Double?
    package var pTemperature: Double?
    package var setAside: [SetAside]

    package var nonlinearityIsSignificant: Bool { (pNonlinearity ?? 1) < 0.01 }
    package var hysteresisIsSignificant: Bool { (pHysteresis ?? 1) < 0.01 }
    package var gainUncertainty: Double { covariance[1][1].squareRoot() }
    package var offsetUncertainty: Double { covariance[0][0].squareRoot() }

    /// Fits in the order of the reference: bad points, effective variance, errors in variables, tests at 1 %.
    /// - Parameter referenceGainError: relative standard uncertainty of the reference's gain, common to all points: added to
    ///   the gain after the fit, never put into the weights.
    /// - Throws: `badInput` below 3 points or without spread; `MetrologyError` from the fits.
    package static func fit(
        _ points: [MeterPoint], channel: MeterChannel, referenceGainError: Double = 0, file: String = "points"
    ) throws -> MeterFit {
        guard points.count >= 3 else {
            throw CalibrationError.badInput(
                file: file, line: points.first?.line,
                reason:
                    "\(points.count) point\(points.count == 1 ? "" : "s"); a gain and offset with uncertainty need at least 3"
            )
        }
        let x = points.map(\.reference)
        let y = points.map(\.mean)
        let (low, high) = (x.min() ?? 0, x.max() ?? 0)
        guard high - low > 1e-3 * max(abs(high), abs(low)) else {
            throw CalibrationError.badInput(
                file: file, line: points.first?.line,
                reason: "all references are alike (\(low) to \(high)); vary them over the range of use")
        }
        // A point with a small scatter by luck must not rule the fit: no scatter below the pooled one.
        let pooled = points.map(\.deviation).median()
        let uy = points.map { max($0.deviation, pooled) / $0.effectiveCount.squareRoot() }
        let ux = points.map(\.referenceUncertainty)
        let smallest = 1e-7 * max(abs(high), abs(low))
        let u = zip(uy, ux).map { max(($0 * $0 + $1 * $1).squareRoot(), smallest) }
        let centre = x.mean()
        let line = Matrix(columns: [x.map { _ in 1 }, x.map { $0 - centre }])
        let inverse = u.map { 1 / $0 }
        let whitened = line.scalingRows(by: inverse)
        let response = zip(y, inverse).map { $0 * $1 }
        let robust = try RobustFit(whitened, response, start: .leastAbsolute, minimumScale: 1e-3, what: file)
        let good = points.indices.filter { robust.weights[$0] >= 0.1 }
        let setAside = points.indices.filter { robust.weights[$0] < 0.1 }.map {
            SetAside(
                line: points[$0].line,
                reason: "robust weight below 0.1: \(y[$0] - x[$0]) \(channel.unit) from the reference")
        }

        var method = Method.effectiveVariance
        var coefficients: [Double]
        // Covariance as the stated uncertainties give it.
        var covariance = PivotedQR(whitened.selecting(rows: good)).inverseGram()
        if !setAside.isEmpty {
            method = .robust
            coefficients = robust.coefficients
        } else if zip(ux, uy).contains(where: { $0 > $1 / 3 }) && ux.allSatisfy({ $0 > 0 }) {
            method = .errorsInVariables
            let york = try YorkLine(
                x: x.map { $0 - centre }, y: y, weightX: ux.map { 1 / ($0 * $0) },
                weightY: uy.map { 1 / (max($0, smallest) * max($0, smallest)) })
            coefficients = [york.intercept, york.slope]
        } else {
            coefficients = try LinearFit.ordinary(whitened, response, what: file).coefficients
        }
        covariance = DynamicModel.inflated(covariance, by: robust.cautiousCovariance)

        let tests = MeterTests(points, good: good, line: line, response: y, u: u, weights: robust.weights)
        let quadratic = tests.addedTerm(x.map { ($0 - centre) * ($0 - centre) })
        var quad = 0.0
        var map = Matrix(rows: 2, columns: 2)
        (map[0, 0], map[0, 1], map[1, 1]) = (1, -centre, 1)
        if let quadratic, quadratic.p < 0.01 {
            // What leaving it out would cost: the bow between a parabola and its chord over the range.
            let bow = abs(quadratic.coefficients[2]) * (high - low) * (high - low) / 8 / abs(coefficients[1])
            if bow > 0.0002 * (high - low) {
                coefficients = quadratic.coefficients
                covariance = quadratic.covariance
                quad = quadratic.coefficients[2]
                map = Matrix(rows: [[1, -centre, centre * centre], [0, 1, -2 * centre], [0, 0, 1]])
            }
        }
        let gain = coefficients[1] - 2 * quad * centre
        let offset = coefficients[0] - coefficients[1] * centre + quad * centre * centre
        var final = map * covariance * map.transposed
        final[1, 1] += referenceGainError * referenceGainError * gain * gain
        let residuals = points.indices.map { y[$0] - offset - gain * x[$0] - quad * x[$0] * x[$0] }
        return MeterFit(
            channel: channel, method: method, offset: offset, gain: gain, quad: quad,
            covariance: (0..<final.rows).map(final.row), range: [low, high],
            temperatureCelsius: points.compactMap(\.temperatureCelsius).isEmpty
                ? nil : points.compactMap(\.temperatureCelsius).mean(),
            points: points.count, residualDeviation: RobustWeight.scale(residuals),
            largestResidualOverU: good.map { abs(residuals[$0]) / u[$0] }.max() ?? 0,
            referenceGainError: referenceGainError,
            quadEstimate: quadratic.map { Estimate(value: $0.coefficients[2], u: $0.covariance[2, 2].squareRoot()) },
            pNonlinearity: quadratic?.p, pHysteresis: tests.hysteresis?.p, hysteresis: tests.hysteresis?.mean,
            pLackOfFit: tests.lackOfFit,
            pDrift: tests.addedTerm(points.map { Double($0.sequence) })?.p,
            pTemperature: points.allSatisfy { $0.temperatureCelsius != nil }
                ? tests.addedTerm(zip(x, points).map { $0 * (($1.temperatureCelsius ?? 0) - 23) })?.p : nil,
            setAside: setAside)
    }

    /// True value for a reading, V or A, with the standard uncertainty of the calibration.
    package func corrected(_ reading: Double) -> Estimate {
        var x = (reading - offset) / gain
        if quad != 0 {
            let root = gain * gain + 4 * quad * (reading - offset)
            if root > 0 { x = 2 * (reading - offset) / (gain + (root.squareRoot() * (gain < 0 ? -1 : 1))) }
        }
        return Estimate(value: x, u: uncertainty(at: x))
    }

    /// Standard uncertainty of a corrected value at true value x.
    package func uncertainty(at x: Double) -> Double {
        let g = Array([1, x, x * x].prefix(covariance.count))
        var variance = 0.0
        for i in g.indices { for j in g.indices { variance += g[i] * g[j] * covariance[i][j] } }
        return max(variance, 0).squareRoot() / abs(gain + 2 * quad * x)
    }
}
