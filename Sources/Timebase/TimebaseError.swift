/// Why a clock could not be related to another.
package enum TimebaseError: Error, Sendable, Equatable, CustomStringConvertible {
    case tooFewPairs(source: ClockName, found: Int, needed: Int)
    case tooShort(source: ClockName, seconds: Double, needed: Double)
    case unorderedKnots(source: ClockName, index: Int)
    case patternTooShort(chips: Int)
    case patternNotFound(pattern: String, reason: String)

    package var description: String {
        switch self {
        case .tooFewPairs(let source, let found, let needed):
            "Clock \(source): only \(found) usable clock pairs, at least \(needed) are needed; record for longer."
        case .tooShort(let source, let seconds, let needed):
            "Clock \(source): the pairs span \(seconds) s, at least \(needed) s are needed to fit a rate; record longer."
        case .unorderedKnots(let source, let index):
            "Clock \(source): knot \(index) of the fit does not come after the one before it on both clocks."
        case .patternTooShort(let chips):
            "A sync pattern of \(chips) chips cannot be located; use at least 11 chips."
        case .patternNotFound(let pattern, let reason):
            "Sync pattern \(pattern) was not found in the power trace: \(reason). Check that the board ran it on all "
                + "cores at a fixed frequency, or align by phase starts instead."
        }
    }
}
