/// What can go wrong in calibration, each with a sentence for a technician.
package enum CalibrationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A row, a column or a whole input cannot be used: file, 1-based line (nil: whole file), reason.
    case badInput(file: String, line: Int?, reason: String)
    /// The data are readable but do not carry what the model needs.
    case notEnough(what: String, reason: String)
    /// A prediction was asked outside the range in which the model was measured.
    case outsideValidity(quantity: String, value: Double, range: ClosedRange<Double>)

    package var description: String {
        switch self {
        case .badInput(let file, let line, let reason): line.map { "\(file):\($0): \(reason)" } ?? "\(file): \(reason)"
        case .notEnough(let what, let reason): "\(what): \(reason)"
        case .outsideValidity(let quantity, let value, let range):
            "\(quantity) = \(value) lies outside the calibrated range \(range.lowerBound) to \(range.upperBound); "
                + "measure there first, the model does not extrapolate"
        }
    }
}
