/// What a line does for a board. The wiring of each is drawn in firmware-notes/wiring.md.
package enum LineRole: String, Sendable, CaseIterable, Codable {
    /// J2 pad GLOBAL_EN, pulled up to 5 V on the board: low is a hard cut, a fresh low pulse wakes a PMIC-off board.
    case globalEnable = "global_en"
    /// J2 pad RUN, 3.3 V: low resets the SoC; read as an input it says that the 3.3 V rail is up.
    case run = "run"
    /// Header pin 5 (GPIO3): a low pulse wakes a board that halted with `WAKE_ON_GPIO=1`.
    case gpio3Wake = "gpio3_wake"
    /// Starts a clean shutdown through the `gpio-shutdown` overlay (active low).
    case shutdownRequest = "shutdown_request"
    /// Driven by the board's `gpio-poweroff` overlay at the end of its shutdown; an input for us.
    case poweroffAcknowledge = "poweroff_ack"
    /// Relay or MOSFET between meter and board: asserted = supply connected.
    case supplySwitch = "supply_switch"

    /// These lines reach into a board that may be unpowered: driving them high would feed it backwards.
    package var mustBeOpenDrain: Bool {
        switch self {
        case .globalEnable, .run, .gpio3Wake, .shutdownRequest: true
        case .poweroffAcknowledge, .supplySwitch: false
        }
    }
}

/// One line of one board, by chip and offset.
package struct LineAddress: Sendable, Hashable {
    /// Chip as libgpiod opens it: name (`gpiochip0`), path or label.
    package var chip: String
    /// Offset within the chip, from 0.
    package var offset: Int
    package init(chip: String, offset: Int) {
        self.chip = chip
        self.offset = offset
    }
}

/// How a line is to be held.
package struct LineRequest: Sendable, Equatable {
    package enum Mode: Sendable, Equatable {
        /// Output that only ever pulls low; released = high impedance.
        case openDrain
        /// Output driven both ways.
        case pushPull
        /// Input; a pull-up would feed a dead rail, so none unless the wiring says so.
        case input(pullUp: Bool)
    }

    package var address: LineAddress
    package var role: LineRole
    package var board: String
    package var mode: Mode
    /// The electrical level that means "asserted".
    package var activeLow: Bool

    package init(address: LineAddress, role: LineRole, board: String, mode: Mode, activeLow: Bool) {
        self.address = address
        self.role = role
        self.board = board
        self.mode = mode
        self.activeLow = activeLow
    }
}

/// What can go wrong with a line.
package enum GPIOFailure: Error, Sendable, Equatable {
    case chipNotFound(String)
    case lineNotFound(LineAddress)
    case forbidden(String)
    /// Another program holds the line (its consumer name, if the kernel tells).
    case lineBusy(LineAddress, holder: String?)
    /// The request would drive a line that must be open-drain.
    case wouldBackFeed(LineAddress, LineRole)
    case notRequested(LineAddress)
    case system(LineAddress, errno: Int32)
}

extension GPIOFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .chipNotFound(let chip):
            "GPIO chip '\(chip)' does not exist. 'gpiodetect' lists the chips; correct the name in bench.yaml."
        case .lineNotFound(let line):
            "Chip '\(line.chip)' has no line \(line.offset). 'gpioinfo \(line.chip)' lists its lines."
        case .forbidden(let chip):
            "No permission to open GPIO chip '\(chip)'. Add this user to the group that owns the device (gpio)."
        case .lineBusy(let line, let holder):
            "Line \(line.offset) of '\(line.chip)' is held by \(holder ?? "another program"). Stop it, or use another line."
        case .wouldBackFeed(let line, let role):
            "Line \(line.offset) of '\(line.chip)' is wired to \(role.rawValue), which must be open-drain: "
                + "driving it high would feed an unpowered board."
        case .notRequested(let line):
            "Line \(line.offset) of '\(line.chip)' was used before it was requested."
        case .system(let line, let code):
            "Line \(line.offset) of '\(line.chip)': the kernel answered error \(code)."
        }
    }
}

/// Lines held by this program. Implementations: libgpiod, and the virtual bench. A line keeps its state only while it
/// is held, so `release` is the last act.
package protocol GPIOLines: AnyObject, Sendable {
    /// Takes all lines or none. Outputs start released (not asserted).
    func request(_ lines: [LineRequest], consumer: String) throws(GPIOFailure)
    /// Asserts or releases an output.
    func set(_ address: LineAddress, asserted: Bool) throws(GPIOFailure)
    /// Reads an input (or the level an output really has).
    func isAsserted(_ address: LineAddress) throws(GPIOFailure) -> Bool
    func release()
}
