/// Everything that can be made to go wrong (protocol reference section 18, and the boards' and nodes' own troubles).
package enum FaultKind: String, Codable, Sendable, CaseIterable {
    // transport
    /// The host is not served for `duration_s`: requests wait, the ring overruns.
    case pollGap = "poll_gap"
    /// The same for longer than the idle timeout: the meter hears nothing and ends the session.
    case hostSilence = "host_silence"
    case lostReply = "lost_reply"
    /// The reply comes `delay_ms` later, with its old id.
    case lateReply = "late_reply"
    case inputOutput = "io_error"
    case stall
    case overflow
    /// Cable pulled; back after `duration_s` with the same serial. `uptime` says whether the counter starts anew.
    case unplug
    /// The kernel driver or another program holds the interface: open fails for `duration_s`.
    case busy
    case forbidden
    // frames
    case shortReply = "short_reply"
    case wrongSize = "wrong_size"
    case wrongID = "wrong_id"
    case unsolicited
    /// The meter's own DISCONNECT slips in just before a reply; the session stays.
    case disconnectBetween = "disconnect_between"
    // samples
    /// The reply repeats `samples` (44) samples of the one before, then the new ones.
    case repeatedPrefix = "repeated_prefix"
    case zeroSample = "zero_sample"
    case tornSample = "torn_sample"
    case outOfOrder = "out_of_order"
    // session
    case rejectStart = "reject_start"
    /// The auth reply says level 0.
    case authRefused = "auth_refused"
    /// The auth reply says level 1, the session stays at level 0.
    case authLevelZero = "auth_level_0"
    case sessionDrop = "session_drop"
    /// The meter restarts without leaving the bus.
    case reboot
    // identity, from the beginning
    case duplicateSerial = "duplicate_serial"
    case emptySerial = "empty_serial"
    // boards
    /// The supply sags by `volts` for `duration_s`.
    case undervoltage
    case throttle
    case wakeFails = "wake_fails"
    case bootHangs = "boot_hangs"
    case latchUp = "latch_up"
    // nodes
    /// The node's connection to the marker receiver is cut; it connects again by itself.
    case markerDrop = "marker_drop"
    /// The participant process is killed: spans stay open, no `bye`.
    case nodeKill = "node_kill"

    package enum Target: Sendable { case meter, board, node }

    package var target: Target {
        switch self {
        case .undervoltage, .throttle, .wakeFails, .bootHangs, .latchUp: .board
        case .markerDrop, .nodeKill: .node
        default: .meter
        }
    }

    /// Acts on the next fitting reply rather than at once.
    var actsOnReply: Bool {
        switch self {
        case .lostReply, .lateReply, .shortReply, .wrongSize, .wrongID, .unsolicited, .disconnectBetween,
            .repeatedPrefix, .zeroSample, .tornSample, .outOfOrder:
            true
        default: false
        }
    }

    /// Needs a reply that carries samples.
    var needsSamples: Bool {
        switch self {
        case .repeatedPrefix, .zeroSample, .tornSample, .outOfOrder, .wrongSize, .shortReply: true
        default: false
        }
    }
}

/// Events of a meter that a fault can wait for.
package enum FaultTrigger: String, Codable, Sendable, CaseIterable {
    case open, connect, disconnect, auth
    case startGraph = "start_graph"
    case stopGraph = "stop_graph"
    case getData = "get_data"
    case memoryRead = "memory_read"
}

/// One line of a fault script: what, to whom, and when (by time, or at the n-th event of a kind).
package struct Fault: Codable, Sendable, Equatable {
    package var kind: FaultKind
    /// Serial of the meter, name of the board or node; nil = every one.
    package var target: String?
    /// Seconds after the bench started.
    package var atSeconds: Double?
    package var on: FaultTrigger?
    /// The n-th such event, from 1.
    package var nth = 1
    /// How many times in a row.
    package var count = 1
    package var durationSeconds = 1.0
    package var delayMilliseconds = 400.0
    package var samples = 44
    package var volts = 0.6
    /// After `unplug`: the uptime counter goes on (the meter kept power from its other port).
    package var keepsUptime = false

    package init(
        _ kind: FaultKind, target: String? = nil, atSeconds: Double? = nil, on: FaultTrigger? = nil, nth: Int = 1,
        count: Int = 1, durationSeconds: Double? = nil
    ) {
        self.kind = kind
        self.target = target
        self.atSeconds = atSeconds
        self.on = on
        self.nth = nth
        self.count = count
        switch (durationSeconds, kind) {
        case (let given?, _): self.durationSeconds = given
        case (nil, .pollGap): self.durationSeconds = 0.15
        case (nil, .hostSilence): self.durationSeconds = 5.5
        default: self.durationSeconds = 1
        }
    }
}

/// A fault that took place: part of the truth.
package struct FaultRecord: Codable, Sendable, Equatable {
    package var kind: FaultKind
    package var target: String
    package var atNanoseconds: Int64
}
