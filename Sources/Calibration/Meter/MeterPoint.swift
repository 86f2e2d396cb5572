package import Metrology

/// Which channel of a meter a calibration is about.
package enum MeterChannel: String, Sendable, Codable {
    case voltage = "V"
    case current = "I"

    package var unit: String { self == .voltage ? "V" : "A" }
    /// Acceptance: U(k = 2) ≤ share·|x| + fixed.
    var limit: (share: Double, fixed: Double) { self == .voltage ? (0.0005, 0.3e-3) : (0.0006, 0.15e-3) }
}

/// One point of a meter calibration: the meter's mean at a reference value.
package struct MeterPoint: Sendable, Equatable {
    package var sequence: Int
    package var replicate: Int
    package var isUpward: Bool
    /// Reference value and its standard uncertainty, V or A.
    package var reference: Double
    package var referenceUncertainty: Double
    /// Mean and standard deviation of the meter's samples, their number and the number they are worth.
    package var mean: Double
    package var deviation: Double
    package var effectiveCount: Double
    package var temperatureCelsius: Double?
    package var line: Int?

    package static let requiredColumns = ["reference", "u_reference", "meter_mean", "meter_sd", "n_effective"]

    /// Reads `points.csv`.
    /// - Throws: `MetrologyError.badTable` with file and line: missing columns, not a number, negative uncertainty, unit slips.
    package static func read(_ table: DelimitedTable) throws(MetrologyError) -> [MeterPoint] {
        guard table.rowCount > 0 else {
            throw .badTable(file: table.file, line: nil, reason: "no rows below the header")
        }
        var points: [MeterPoint] = []
        for index in 0..<table.rowCount {
            let row = table.row(index)
            let u = try row.number("u_reference")
            guard u >= 0 else { throw row.problem("u_reference is \(u); an uncertainty cannot be negative") }
            let sd = try row.number("meter_sd")
            guard sd >= 0 else { throw row.problem("meter_sd is \(sd); a standard deviation cannot be negative") }
            let effective = try row.number("n_effective")
            guard effective >= 1 else { throw row.problem("n_effective is \(effective), expected at least 1") }
            let direction = table.index(of: "direction") == nil ? "up" : try row.text("direction")
            guard direction == "up" || direction == "down" else {
                throw row.problem("direction \"\(direction)\" is neither up nor down")
            }
            let point = MeterPoint(
                sequence: table.index(of: "seq") == nil ? index : try row.integer("seq"),
                replicate: table.index(of: "replicate") == nil ? 0 : try row.integer("replicate"),
                isUpward: direction == "up",
                reference: try row.number("reference", in: -60...60, hint: "V or A; is it in mV or mA?"),
                referenceUncertainty: u,
                mean: try row.number("meter_mean", in: -60...60, hint: "V or A; is it in mV or mA?"), deviation: sd,
                effectiveCount: effective, temperatureCelsius: try row.optionalNumber("temperature_c"), line: row.line)
            if abs(point.reference) > 0.02 {
                let ratio = abs(point.mean / point.reference)
                if (300...3000).contains(ratio) || (1 / 3000...1 / 300).contains(ratio) {
                    throw row.problem(
                        "meter_mean \(point.mean) against reference \(point.reference): one is in milli-units, the other not"
                    )
                }
            }
            if let twin = points.first(where: { old in
                var copy = old
                copy.line = point.line
                copy.sequence = point.sequence
                return copy == point
            }) {
                throw row.problem("repeats line \(twin.line ?? 0) value for value; remove the copy")
            }
            points.append(point)
        }
        return points
    }
}
