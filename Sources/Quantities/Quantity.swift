/// How well a value is known: a standard uncertainty (k = 1), or the statement that nobody evaluated it.
package enum Uncertainty: Sendable, Equatable {
    /// Standard uncertainty (k = 1) in the unit of the value; finite and not negative.
    case standard(Double)
    /// No uncertainty was worked out. Reports say so; it is never read as zero.
    case notEvaluated
}

/// A value with its standard uncertainty and unit (JCGM 100). It cannot be built without saying how well it is known.
package struct Quantity<Unit: PhysicalUnit>: Sendable, Equatable {
    package var value: Double
    package var uncertainty: Uncertainty

    package init(_ value: Double, u standardUncertainty: Double) {
        self.value = value
        self.uncertainty = .standard(standardUncertainty)
    }

    package init(_ value: Double, uncertainty: Uncertainty) {
        self.value = value
        self.uncertainty = uncertainty
    }

    package static func notEvaluated(_ value: Double) -> Self { Self(value, uncertainty: .notEvaluated) }

    /// Standard uncertainty (k = 1), nil if not evaluated.
    package var standardUncertainty: Double? {
        if case .standard(let u) = uncertainty { return u }
        return nil
    }

    /// Expanded uncertainty U = k·u, nil if not evaluated.
    package func expandedUncertainty(coverageFactor k: Double = 2) -> Double? { standardUncertainty.map { k * $0 } }

    /// Multiplies by an exactly known factor, giving another unit where the caller says so.
    package func scaled<Other: PhysicalUnit>(by factor: Double, to _: Other.Type = Other.self) -> Quantity<Other> {
        switch uncertainty {
        case .standard(let u): Quantity<Other>(value * factor, u: u * abs(factor))
        case .notEvaluated: .notEvaluated(value * factor)
        }
    }

    /// Sum of two quantities whose errors are independent; unevaluated stays unevaluated.
    package static func + (a: Self, b: Self) -> Self { combined(a.value + b.value, a, b) }

    /// Difference of two quantities whose errors are independent; unevaluated stays unevaluated.
    package static func - (a: Self, b: Self) -> Self { combined(a.value - b.value, a, b) }

    private static func combined(_ value: Double, _ a: Self, _ b: Self) -> Self {
        guard let ua = a.standardUncertainty, let ub = b.standardUncertainty else { return .notEvaluated(value) }
        return Self(value, u: (ua * ua + ub * ub).squareRoot())
    }
}
