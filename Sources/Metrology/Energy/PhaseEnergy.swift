package import Quantities
package import Traces

/// The energy of one phase with its uncertainty, and how honest the number is.
package struct PhaseEnergy: Sendable, Equatable {
    package enum Flag: String, Sendable, Hashable, CaseIterable, Codable {
        /// Missing samples were interpolated (0.1 % to 5 % of the phase).
        case interpolated
        /// More than 5 % missing, or one gap longer than 10 % of the phase.
        case largeGaps = "large_gaps"
        /// A border of the phase lies in a gap.
        case borderInGap = "border_in_gap"
        /// The phase begins before the first or ends after the last sample.
        case outsideTrace = "outside_trace"
        /// A border lies outside the window in which the clock fit's bound holds.
        case clockExtrapolated = "clock_extrapolated"
        /// A border lies in a host clock step, where host time is ambiguous or missing.
        case clockStep = "clock_step"
        /// No certificate: the maker's limits were taken as uncertainty.
        case uncalibrated
        /// Impossible readings were replaced.
        case rejectedReadings = "rejected_readings"
        /// Readings outside the plausible range for longer than a packet were believed.
        case implausibleReadings = "implausible_readings"
        /// A refusal was set aside by the operator; the reason is on record.
        case overridden
    }

    package enum Verdict: Sendable, Equatable {
        case usable
        /// The number must not be used; one sentence says why.
        case refused(String)
    }

    package var phase: Phase
    /// Gross energy at the meter, J.
    package var gross: Quantity<Joules>
    package var budget: EnergyBudget
    /// Gross less idle power times the phase's length; nil where no idle power was given.
    package var net: Quantity<Joules>?
    package var netBudget: EnergyBudget?
    /// Length on the host clock, s.
    package var durationSeconds: Double
    /// Samples present over samples due, 0...1.
    package var coverage: Double
    package var longestGapSeconds: Double
    package var missing: Int
    package var rejected: Int
    package var flags: Set<Flag>
    package var verdict: Verdict

    package var isUsable: Bool { verdict == .usable }
    /// Mean power, W; the length is taken as exact.
    package var meanPower: Quantity<Watts> {
        durationSeconds > 0 ? gross.scaled(by: 1 / durationSeconds) : .notEvaluated(0)
    }
}

/// Idle power that is taken off for net figures, with the budget of its measurement.
package struct IdlePower: Sendable, Equatable {
    package var watts: Double
    /// Contributions per second of idle, W (an energy budget over one second).
    package var budget: EnergyBudget

    package init(watts: Double, budget: EnergyBudget) {
        self.watts = watts
        self.budget = budget
    }

    /// From a measured idle stretch.
    package init(_ energy: PhaseEnergy) {
        let seconds = max(energy.durationSeconds, 1e-9)
        watts = energy.gross.value / seconds
        budget = energy.budget.scaled(by: 1 / seconds)
    }
}
