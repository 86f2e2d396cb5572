/// Power states of a Raspberry Pi 4B as the board itself knows them (calibration reference 1.1).
package enum PowerState: String, Codable, Sendable, CaseIterable {
    /// Supply disconnected between meter and board: no current.
    case cut
    /// GLOBAL_EN held low.
    case held
    /// Shut down with `POWER_OFF_ON_HALT=1`: PMIC off, 3.3 V rail gone.
    case off
    /// Shut down, PMIC still on.
    case halt
    /// From the shutdown request to the plateau, bootloader bump included.
    case shuttingDown = "shutting_down"
    /// From the wake-up to the participant's first sign of life.
    case booting
    /// Up; idle or busy as its node says.
    case running

    /// The 3.3 V rail is up: RUN reads high.
    package var railIsUp: Bool {
        switch self {
        case .halt, .shuttingDown, .booting, .running: true
        case .cut, .held, .off: false
        }
    }
}

/// One change of a board's power state: the truth that a trace must confirm.
package struct PowerTransition: Codable, Sendable, Equatable {
    package var board: String
    package var from: PowerState
    package var to: PowerState
    /// Host CLOCK_MONOTONIC, ns.
    package var atNanoseconds: Int64
    /// What caused it: a line, a request, the end of a stage, a fault.
    package var cause: String
    /// Energy of the board from the beginning of the bench to this moment, both planes.
    package var totals: PowerTotals?
}

/// What a wake-up that does not go well does instead.
package enum WakeFault: String, Codable, Sendable {
    /// The pulse does nothing; the next one works.
    case ignored = "wake_fails"
    /// The boot stops in the kernel and draws on; a reset or power cycle mends it.
    case hangs = "boot_hangs"
    /// The PMIC stays latched off; only cutting the supply mends it.
    case latched = "latch_up"
}

/// One stage of a boot or shutdown, drawn beforehand.
struct TransitionStage: Sendable {
    enum Drive: Sendable {
        case watts(Double)
        case load(BoardLoad)
    }
    var until: Int64
    var drive: Drive
}
