/// Answer of `calibrate trace --json`. Energies at the meter plane.
package struct TraceSummary: Sendable, Equatable, Encodable {
    package struct PhaseRow: Sendable, Equatable, Encodable {
        package var name: String
        package var index: Int
        package var energyJoules: Double
        /// k = 1.
        package var standardUncertaintyJoules: Double

        private enum CodingKeys: String, CodingKey {
            case name
            case index
            case energyJoules = "energy_j"
            case standardUncertaintyJoules = "u_energy_j"
        }
    }

    package struct Batch: Sendable, Equatable, Encodable {
        /// nil: the trace holds no batches.
        package var meanEnergyJoules: Double?

        private enum CodingKeys: String, CodingKey { case meanEnergyJoules = "mean_energy_j" }
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(meanEnergyJoules, forKey: .meanEnergyJoules)
        }
    }

    /// nil where the trace does not hold the event.
    package struct Transition: Sendable, Equatable, Encodable {
        package var sleepWatts: Double?
        /// From the command to the last edge down to the plateau.
        package var shutdownSeconds: Double?
        package var shutdownJoules: Double?
        /// From the wake pulse to `board_ready`.
        package var wakeSeconds: Double?
        package var wakeJoules: Double?
        /// From the wake pulse until power exceeds sleep by 0.5 W.
        package var railSeconds: Double?

        private enum CodingKeys: String, CodingKey {
            case sleepWatts = "sleep_w"
            case shutdownSeconds = "shutdown_s"
            case shutdownJoules = "shutdown_j"
            case wakeSeconds = "wake_s"
            case wakeJoules = "wake_j"
            case railSeconds = "rail_s"
        }

        /// Keys are always there: null says "not in this trace".
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(sleepWatts, forKey: .sleepWatts)
            try container.encode(shutdownSeconds, forKey: .shutdownSeconds)
            try container.encode(shutdownJoules, forKey: .shutdownJoules)
            try container.encode(wakeSeconds, forKey: .wakeSeconds)
            try container.encode(wakeJoules, forKey: .wakeJoules)
            try container.encode(railSeconds, forKey: .railSeconds)
        }
    }

    package var phases: [PhaseRow]
    package var totalEnergyJoules: Double
    package var batch: Batch
    package var lostSamples: Int
    package var glitches: Int
    package var tickErrorPPM: Double
    package var boardDriftPPM: Double?
    package var transitions: Transition

    private enum CodingKeys: String, CodingKey {
        case phases
        case totalEnergyJoules = "total_energy_j"
        case batch
        case lostSamples = "lost_samples"
        case glitches
        case tickErrorPPM = "tick_error_ppm"
        case boardDriftPPM = "board_drift_ppm"
        case transitions
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(phases, forKey: .phases)
        try container.encode(totalEnergyJoules, forKey: .totalEnergyJoules)
        try container.encode(batch, forKey: .batch)
        try container.encode(lostSamples, forKey: .lostSamples)
        try container.encode(glitches, forKey: .glitches)
        try container.encode(tickErrorPPM, forKey: .tickErrorPPM)
        try container.encode(boardDriftPPM, forKey: .boardDriftPPM)
        try container.encode(transitions, forKey: .transitions)
    }
}
