import Metrology

/// Power of an off or halted board against room temperature: `P = P25 + a·(T − 25)`, board plane.
package struct TemperatureLine: Sendable, Codable, Equatable {
    /// Power at 25 °C, W.
    package var at25Watts: Estimate
    /// Slope, W/°C; nil where the rooms were too alike to tell.
    package var slopeWattsPerCelsius: Estimate?
    /// Covariance of (P25, slope), row by row; 1×1 without a slope.
    package var covariance: [[Double]]
    package var ambientCelsius: [Double]
    package var points: Int
    /// Between-repeat standard deviation, W.
    package var repeatabilityWatts: Double
    package var setAside: [SetAside]
    package var note: String?

    /// Robust line (bisquare from a least-absolute start) through board-plane plateau means.
    static func fit(
        _ plateaus: [StaticPlateau], cable: CableFit, what: String, ceilingWatts: Double
    ) throws -> TemperatureLine {
        var setAside: [SetAside] = []
        let usable = plateaus.filter { plateau in
            guard plateau.powerWatts > ceilingWatts else { return true }
            setAside.append(
                SetAside(
                    line: plateau.line,
                    reason: "\(plateau.powerWatts) W is above \(ceilingWatts) W: the board was not in this state"))
            return false
        }
        guard usable.count >= 2 else {
            throw CalibrationError.badInput(
                file: what, line: plateaus.first?.line,
                reason: "\(usable.count) usable plateaus; at least 2 are needed"
                    + (setAside.isEmpty ? "" : " (\(setAside.count) set aside as another state)"))
        }
        let power = usable.map { cable.boardPower(meterWatts: $0.powerWatts, meterVolts: $0.supplyVolts) }
        let ambient = usable.map(\.ambientCelsius)
        let range = [ambient.min() ?? 25, ambient.max() ?? 25]
        let sloped = range[1] - range[0] >= 2 && usable.count >= 4
        let ones = usable.map { _ in 1.0 }
        let design = sloped ? Matrix(columns: [ones, ambient.map { $0 - 25 }]) : Matrix(columns: [ones])
        let floor = usable.map(\.standardErrorWatts).median() * 0.3
        let fit = try RobustFit(design, power, start: .leastAbsolute, minimumScale: max(floor, 1e-6), what: what)
        for (plateau, weight) in zip(usable, fit.weights) where weight < 0.1 {
            setAside.append(
                SetAside(line: plateau.line, reason: "\(what) plateau off the line, robust weight below 0.1"))
        }
        // The cable's resistance moves all these plateaus together.
        let meanCurrent = zip(usable, power).map { $1 / $0.supplyVolts }.mean()
        let common = meanCurrent * meanCurrent * cable.resistanceOhms.u
        var covariance = fit.cautiousCovariance
        covariance[0, 0] += common * common
        let note =
            sloped
            ? nil : "room temperature spans \(range[1] - range[0]) °C only: slope not determined, value holds there"
        return TemperatureLine(
            at25Watts: Estimate(value: fit.coefficients[0], u: covariance[0, 0].squareRoot()),
            slopeWattsPerCelsius: sloped ? Estimate(value: fit.coefficients[1], u: covariance[1, 1].squareRoot()) : nil,
            covariance: (0..<design.columns).map(covariance.row), ambientCelsius: range, points: usable.count,
            repeatabilityWatts: fit.scale, setAside: setAside, note: note)
    }

    /// Power at a room temperature, W, with its standard uncertainty.
    /// - Throws: `outsideValidity` more than 10 % of the span (at least 2 °C) outside the rooms measured.
    package func predict(ambientCelsius t: Double) throws(CalibrationError) -> Estimate {
        let (low, high) = (ambientCelsius[0], ambientCelsius[1])
        let margin = max(0.1 * (high - low), 2)
        guard t >= low - margin, t <= high + margin else {
            throw .outsideValidity(quantity: "ambient_c", value: t, range: low...high)
        }
        guard let slope = slopeWattsPerCelsius else { return at25Watts }
        let d = t - 25
        let variance = covariance[0][0] + 2 * d * covariance[0][1] + d * d * covariance[1][1]
        return Estimate(value: at25Watts.value + slope.value * d, u: max(variance, 0).squareRoot())
    }
}
