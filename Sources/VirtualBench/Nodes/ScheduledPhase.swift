package import PhaseLink

/// A stretch of constant load inside a phase.
package struct LoadSlice: Codable, Sendable, Equatable {
    package var seconds: Double
    package var load: BoardLoad
    package init(_ seconds: Double, _ load: BoardLoad) {
        self.seconds = seconds
        self.load = load
    }
}

/// A run of slices played a number of times: a batch loop is one group.
package struct LoadGroup: Codable, Sendable, Equatable {
    package var slices: [LoadSlice]
    package var repeats: Int
    package init(_ slices: [LoadSlice], repeats: Int = 1) {
        self.slices = slices
        self.repeats = repeats
    }

    package var seconds: Double { slices.reduce(0) { $0 + $1.seconds } * Double(repeats) }
}

/// One phase a virtual node will play: kind as in the taxonomy, load, and what its marks say.
package struct ScheduledPhase: Sendable, Equatable {
    /// Which of the node's processes marks it.
    package enum Process: String, Sendable {
        /// Long-lived: network phases and the envelope of a task.
        case supernode
        /// One per message: the user function.
        case client
        /// Long-lived: calibration steps, sync patterns, telemetry.
        case agent
    }

    package var kind: String
    package var round: Int?
    package var groups: [LoadGroup]
    /// Derived phases (`app_start`, `poll_out`, `await_work`) are played but not marked.
    package var isMarked: Bool
    package var process: Process
    package var beginAttributes: [String: JSONValue]
    package var endAttributes: [String: JSONValue]

    package init(
        _ kind: String, round: Int? = nil, groups: [LoadGroup], isMarked: Bool? = nil,
        beginAttributes: [String: JSONValue] = [:], endAttributes: [String: JSONValue] = [:]
    ) {
        self.kind = kind
        self.round = round
        self.groups = groups
        let derived = [PhaseKind.appStart, PhaseKind.pollOut, PhaseKind.awaitWork].contains(kind)
        self.isMarked = isMarked ?? !derived
        process =
            switch kind {
            case PhaseKind.modelDownload, PhaseKind.modelUpload, PhaseKind.awaitWork: .supernode
            case PhaseKind.appStart, PhaseKind.pollOut, "local_train", "evaluate": .client
            case _ where kind.hasPrefix("query_"): .client
            default: .agent
            }
        self.beginAttributes = beginAttributes
        self.endAttributes = endAttributes
    }

    /// One constant load.
    package init(
        _ kind: String, round: Int? = nil, seconds: Double, load: BoardLoad, isMarked: Bool? = nil,
        beginAttributes: [String: JSONValue] = [:], endAttributes: [String: JSONValue] = [:]
    ) {
        self.init(
            kind, round: round, groups: [LoadGroup([LoadSlice(seconds, load)])], isMarked: isMarked,
            beginAttributes: beginAttributes, endAttributes: endAttributes)
    }

    package var seconds: Double { groups.reduce(0) { $0 + $1.seconds } }
}

extension ScheduledPhase {
    /// Calibration step (calibration reference 4.1): constant frequency, busy cores and traffic.
    package static func step(
        megahertz: Int, cores: Double, sendMbitPerSecond: Double = 0, receiveMbitPerSecond: Double = 0,
        seconds: Double, index: Int? = nil
    ) -> ScheduledPhase {
        var attributes: [String: JSONValue] = [
            "f_mhz": .integer(Int64(megahertz)), "cores": .number(cores), "tx_mbit_s": .number(sendMbitPerSecond),
            "rx_mbit_s": .number(receiveMbitPerSecond),
        ]
        if let index { attributes["step"] = .integer(Int64(index)) }
        // Sending at full speed costs CPU time as well: about a core per 1.2 Gbit/s.
        let network = (sendMbitPerSecond + receiveMbitPerSecond) / 1200
        return ScheduledPhase(
            "step", seconds: seconds,
            load: BoardLoad(
                megahertz: megahertz, utilisation: cores + 0.02 + network, sendMbitPerSecond: sendMbitPerSecond,
                receiveMbitPerSecond: receiveMbitPerSecond), beginAttributes: attributes)
    }

    /// Idle at the governor's floor, or at a fixed clock.
    package static func idle(seconds: Double, megahertz: Int = 600) -> ScheduledPhase {
        ScheduledPhase(
            PhaseKind.idle, seconds: seconds, load: BoardLoad(megahertz: megahertz, utilisation: 0.02),
            beginAttributes: ["f_mhz": .integer(Int64(megahertz))])
    }

    /// Load pattern that aligns markers with the trace: all cores on for a 1, idle for a 0, first chip first.
    package static func syncPattern(_ chips: String = barker13, chipMilliseconds: Int = 200) -> ScheduledPhase {
        let seconds = Double(chipMilliseconds) * 1e-3
        let slices = chips.map { chip in
            LoadSlice(
                seconds, chip == "1" ? .busy(cores: 4) : BoardLoad(megahertz: 1500, utilisation: 0.02))
        }
        return ScheduledPhase(
            "sync_pattern", groups: [LoadGroup(slices)],
            beginAttributes: ["chips": .string(chips), "chip_ms": .integer(Int64(chipMilliseconds))])
    }

    package static let barker13 = "1111100110101"
    /// Maximum-length sequence of 63 chips, as in the calibration reference (100 ms a chip).
    package static let maximumLength63 = "111111000001000011000101001111010001110010010110111011001101010"
}
