/// What can go wrong in the numerics and in reading numbers from text, each with a sentence for a technician.
package enum MetrologyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A table cannot be used: file, 1-based line (nil: the whole file) and why.
    case badTable(file: String, line: Int?, reason: String)
    /// Fewer observations than the method needs.
    case tooFewObservations(what: String, found: Int, needed: Int)
    /// The columns named do not carry independent information; the fit has no unique answer.
    case rankDeficient(what: String, rank: Int, columns: Int)
    /// An argument lies outside the range in which the method is defined.
    case invalidInput(what: String, reason: String)
    /// An iteration did not settle.
    case notConverged(what: String, iterations: Int)
    /// A model text cannot be understood: 1-based position of the offending character.
    case badModel(text: String, position: Int, reason: String)
    /// A JSON document cannot be used: file, path inside it, why.
    case badDocument(file: String, path: String, reason: String)

    package var description: String {
        switch self {
        case .badTable(let file, let line, let reason): line.map { "\(file):\($0): \(reason)" } ?? "\(file): \(reason)"
        case .tooFewObservations(let what, let found, let needed):
            "\(what): \(found) usable observations, at least \(needed) are needed"
        case .rankDeficient(let what, let rank, let columns):
            "\(what): only \(rank) of \(columns) columns are independent; vary the inputs more or leave a column out"
        case .invalidInput(let what, let reason): "\(what): \(reason)"
        case .notConverged(let what, let iterations): "\(what): no convergence after \(iterations) iterations"
        case .badModel(let text, let position, let reason): "model \"\(text)\", character \(position): \(reason)"
        case .badDocument(let file, let path, let reason): "\(file): \(path): \(reason)"
        }
    }
}
