import Metrology

/// Resistance of the cable between meter and board: `V_meter − V_board = R·I + v0`.
package struct CableFit: Sendable, Codable, Equatable {
    package var resistanceOhms: Estimate
    /// Offset between the two voltmeters, V; zero (with u = 0) where the data do not need one.
    package var offsetVolts: Estimate
    package var points: Int
    /// Between-point standard deviation of the drop, V.
    package var residualVolts: Double
    package var diagnostics: [Diagnostic]
    package var setAside: [SetAside]

    /// No cable measured: the meter sits at the board, or somebody says so with a number.
    package static func given(_ resistance: Estimate) -> CableFit {
        CableFit(
            resistanceOhms: resistance, offsetVolts: Estimate(value: 0, u: 0), points: 0, residualVolts: 0,
            diagnostics: [Diagnostic(check: "cable", value: nil, light: .amber, note: "assumed, not measured")],
            setAside: [])
    }

    /// - Throws: `notEnough` below 3 points or without a spread of currents; `MetrologyError` from the fit.
    package static func fit(_ points: [CablePoint], board: String) throws -> CableFit {
        guard points.count >= 3 else {
            throw CalibrationError.notEnough(
                what: "cable of \(board)", reason: "\(points.count) points; at least 3 (better 8) between 0.2 and 1.5 A"
            )
        }
        let currents = points.map(\.currentAmperes)
        let drops = points.map { $0.meterVolts - $0.boardVolts }
        let spread = (currents.max() ?? 0) - (currents.min() ?? 0)
        guard spread > 0.1 else {
            throw CalibrationError.notEnough(
                what: "cable of \(board)", reason: "currents span only \(spread) A; vary the load from 0.2 to 1.5 A")
        }
        // Readings of 0.1 mV resolution: a smaller scale would only be chance.
        let floor = 2e-5
        let line = Matrix(columns: [currents.map { _ in 1 }, currents])
        let free = try RobustFit(line, drops, start: .leastAbsolute, minimumScale: floor, what: "cable of \(board)")
        let freeErrors = free.cautiousCovariance.diagonal.map { $0.squareRoot() }
        let t = freeErrors[0] > 0 ? abs(free.coefficients[0]) / freeErrors[0] : 0
        // The widened errors already count the degrees of freedom: a normal quantile at 1 %.
        let critical = 2.576
        var fit: RobustFit
        var offset = Estimate(value: 0, u: 0)
        if t > critical {
            fit = free
            offset = Estimate(value: free.coefficients[0], u: freeErrors[0])
        } else {
            // An offset the data do not show only costs precision of the slope.
            fit = try RobustFit(
                Matrix(columns: [currents]), drops, start: .leastAbsolute, minimumScale: floor,
                what: "cable of \(board)")
        }
        let resistance = Estimate(
            value: fit.coefficients.last ?? 0, u: (fit.cautiousCovariance.diagonal.last ?? 0).squareRoot())
        var diagnostics: [Diagnostic] = []
        diagnostics.append(
            Diagnostic(
                check: "cable resistance", value: resistance.value,
                light: resistance.value < 0 ? .red : (resistance.value > 0.3 ? .amber : .green),
                note: resistance.value < 0
                    ? "negative: the two probes are swapped"
                    : (resistance.value > 0.3 ? "above 0.3 Ω: check plugs" : nil)))
        diagnostics.append(
            Diagnostic(
                check: "cable offset", value: offset.value, light: abs(offset.value) > 3e-3 ? .red : .green,
                note: abs(offset.value) > 3e-3 ? "more than 3 mV: check the probes" : nil))
        guard resistance.value >= 0 else {
            throw CalibrationError.badInput(
                file: "cable of \(board)", line: points.first?.line,
                reason:
                    "the board reads more volts than the meter (R = \(resistance.value) Ω); are v_meter and v_board swapped?"
            )
        }
        let bad = zip(points, fit.weights).filter { $0.1 < 0.1 }.map {
            SetAside(line: $0.0.line, reason: "cable point off the line, robust weight below 0.1")
        }
        return CableFit(
            resistanceOhms: resistance, offsetVolts: offset, points: points.count, residualVolts: fit.scale,
            diagnostics: diagnostics, setAside: bad)
    }

    /// Power at the board, W, of a power at the meter: `P − R·I²` with `I = P / V`.
    package func boardPower(meterWatts: Double, meterVolts: Double) -> Double {
        let current = meterWatts / meterVolts
        return meterWatts - resistanceOhms.value * current * current
    }
}
