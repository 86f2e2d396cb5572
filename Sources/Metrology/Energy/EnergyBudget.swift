/// Where the uncertainty of an energy comes from: signed standard contributions (k = 1, J) with what they share.
///
/// Source: JCGM 100 with the inputs of calibration.md 2.3. Signs matter: the same meter's offset error in a phase and in
/// the idle power that is taken off partly cancels, and a border between two phases moves energy from one to the other.
package struct EnergyBudget: Sendable, Equatable {
    package enum Contributor: String, Sendable, CaseIterable, Codable {
        case gainVoltage = "gain_v"
        case gainCurrent = "gain_i"
        case offsetVoltage = "offset_v"
        case offsetCurrent = "offset_i"
        case referenceVoltage = "reference_v"
        case referenceCurrent = "reference_i"
        case temperatureVoltage = "temperature_v"
        case temperatureCurrent = "temperature_i"
        case tick
        case border
        case noise
        case gap
        case skew
        case rejected
        case cable
        case supply
    }

    /// With which other terms a term is one and the same error.
    package enum Sharing: Sendable, Hashable {
        /// With every term of the same contributor of this meter: adds linearly over phases and rounds.
        case meter
        /// With every term of the same contributor of all meters calibrated against the same reference.
        case reference
        /// With the neighbour that has the same border, ns on the meter's clock.
        case border(Int64)
        /// With the other part of the same gap, named by the meter tick before it.
        case gap(Int64)
        /// With nothing.
        case none
    }

    package struct Term: Sendable, Equatable {
        package var contributor: Contributor
        package var sharing: Sharing
        /// Change of the energy when the input moves by its standard uncertainty, J; signed where it is shared.
        package var joules: Double
        package init(_ contributor: Contributor, _ sharing: Sharing, joules: Double) {
            self.contributor = contributor
            self.sharing = sharing
            self.joules = joules
        }
    }

    package private(set) var terms: [Term]
    /// Correlation of gain and offset of each channel, from the certificate.
    package var voltageCorrelation: Double
    package var currentCorrelation: Double

    package init(terms: [Term] = [], voltageCorrelation: Double = 0, currentCorrelation: Double = 0) {
        self.terms = terms
        self.voltageCorrelation = voltageCorrelation
        self.currentCorrelation = currentCorrelation
        merge()
    }

    /// Combined standard uncertainty, J.
    package var standardUncertainty: Double { max(0, variance).squareRoot() }

    private var variance: Double {
        func joules(_ contributor: Contributor) -> Double {
            terms.filter { $0.contributor == contributor && $0.sharing == .meter }.reduce(0) { $0 + $1.joules }
        }
        return terms.reduce(0) { $0 + $1.joules * $1.joules }
            + 2 * voltageCorrelation * joules(.gainVoltage) * joules(.offsetVoltage)
            + 2 * currentCorrelation * joules(.gainCurrent) * joules(.offsetCurrent)
    }

    /// Contributors with their standard uncertainty, J, largest first.
    package var contributors: [(contributor: Contributor, joules: Double)] {
        var squares: [Contributor: Double] = [:]
        for term in terms { squares[term.contributor, default: 0] += term.joules * term.joules }
        return squares.map { ($0.key, $0.value.squareRoot()) }
            .sorted { ($1.joules, $0.contributor.rawValue) < ($0.joules, $1.contributor.rawValue) }
    }

    /// Sum over phases of one meter: shared terms add linearly, the others in quadrature.
    package static func + (a: EnergyBudget, b: EnergyBudget) -> EnergyBudget {
        EnergyBudget(
            terms: a.terms + b.terms,
            voltageCorrelation: a.terms.isEmpty ? b.voltageCorrelation : a.voltageCorrelation,
            currentCorrelation: a.terms.isEmpty ? b.currentCorrelation : a.currentCorrelation)
    }

    /// Sum over any number of phases of one meter.
    package static func sum(_ budgets: some Sequence<EnergyBudget>) -> EnergyBudget {
        var terms: [Term] = []
        var correlation = (voltage: 0.0, current: 0.0)
        for budget in budgets {
            terms += budget.terms
            if !budget.terms.isEmpty { correlation = (budget.voltageCorrelation, budget.currentCorrelation) }
        }
        return EnergyBudget(
            terms: terms, voltageCorrelation: correlation.voltage, currentCorrelation: correlation.current)
    }

    /// Times an exactly known factor.
    package func scaled(by factor: Double) -> EnergyBudget {
        var scaled = self
        for index in scaled.terms.indices { scaled.terms[index].joules *= factor }
        return scaled
    }

    /// Standard uncertainty of the sum over different meters, J: only the reference is shared.
    package static func standardUncertainty(acrossMeters budgets: [EnergyBudget]) -> Double {
        var shared: [Contributor: Double] = [:]
        var squares = 0.0
        for budget in budgets {
            var own = budget
            own.terms.removeAll { $0.sharing == .reference }
            squares += own.variance
            for term in budget.terms where term.sharing == .reference {
                shared[term.contributor, default: 0] += term.joules
            }
        }
        return (squares + shared.values.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// One term per contributor and sharing.
    private mutating func merge() {
        struct Key: Hashable {
            var contributor: Contributor
            var sharing: Sharing
        }
        var order: [Key] = []
        var sums: [Key: Double] = [:]
        for term in terms {
            let key = Key(contributor: term.contributor, sharing: term.sharing)
            if let sum = sums[key] {
                sums[key] =
                    term.sharing == .none ? (sum * sum + term.joules * term.joules).squareRoot() : sum + term.joules
            } else {
                order.append(key)
                sums[key] = term.joules
            }
        }
        terms = order.map { Term($0.contributor, $0.sharing, joules: sums[$0] ?? 0) }
    }
}
