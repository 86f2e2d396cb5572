/// Power state of a board as the trace shows it; never assumed from the command that was sent.
package enum BoardState: String, Sendable, CaseIterable, Codable {
    /// Nothing has been confirmed yet.
    case unknown
    /// Running and ready for work.
    case ready
    case shuttingDown = "shutting_down"
    /// 5 V removed.
    case cut
    /// Power-management chip off.
    case off
    /// Halted, power-management chip on.
    case halt
    case booting

    package var isAsleep: Bool { self == .cut || self == .off || self == .halt }
}

/// Plateau limits that tell the sleep states apart, W, at the meter. Settings: published figures for one named state
/// differ by up to five times between firmware versions.
package struct PlateauLimits: Sendable, Equatable {
    /// Largest mean power of a board whose supply is cut.
    package var cutMaxWatts = 0.03
    /// Largest mean power of a PMIC-off board.
    package var offMaxWatts = 0.6
    /// Largest mean power of a halted board.
    package var haltMaxWatts = 2.2
    /// Power above the sleep plateau that says the 3.3 V rail is up.
    package var railRiseWatts = 0.5
    /// Largest spread (max − min of window means) of a plateau.
    package var spreadWatts = 0.05

    package init() {}

    /// The sleep state whose band holds this mean power; nil above all of them.
    package func sleepState(ofMeanWatts power: Double) -> BoardState? {
        if power <= cutMaxWatts { return .cut }
        if power <= offMaxWatts { return .off }
        if power <= haltMaxWatts { return .halt }
        return nil
    }

    /// Whether a plateau proves the state that was asked for. A deeper state is not the one asked for.
    package func proves(_ state: BoardState, meanWatts: Double) -> Bool { sleepState(ofMeanWatts: meanWatts) == state }
}

/// One confirmed change of state, with what it cost.
package struct BoardTransition: Sendable, Equatable {
    package var board: String
    package var from: BoardState
    package var to: BoardState
    /// Host clock, ns: the command, the first sign (rail up; nil when going to sleep) and the confirmed arrival.
    package var commandedAtNanoseconds: Int64
    package var railAtNanoseconds: Int64?
    package var arrivedAtNanoseconds: Int64
    /// Energy at the meter between command and arrival, J, from the live trace (uncalibrated).
    package var energyJoules: Double
    /// Mean power of the confirming plateau, W; for a wake, at readiness.
    package var plateauWatts: Double
    /// 1 for the first try.
    package var attempts: Int
}
