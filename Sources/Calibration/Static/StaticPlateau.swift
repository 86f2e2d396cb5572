package import Metrology

/// A board state whose power the static test measures.
package enum StaticState: Sendable, Hashable, CustomStringConvertible {
    case cut
    case pmicOff
    case halt
    /// Idle with the clock held at this frequency, MHz; nil where the plan named none.
    case idle(megahertz: Int?)

    /// From the plan's word: `cut`, `pmic_off`, `halt`, `idle`, `idle600`.
    package init?(_ text: String) {
        switch text {
        case "cut": self = .cut
        case "pmic_off", "off": self = .pmicOff
        case "halt": self = .halt
        default:
            guard text.hasPrefix("idle") else { return nil }
            let rest = text.dropFirst(4)
            if rest.isEmpty {
                self = .idle(megahertz: nil)
            } else if let frequency = Int(rest), (100...4000).contains(frequency) {
                self = .idle(megahertz: frequency)
            } else {
                return nil
            }
        }
    }

    package var description: String {
        switch self {
        case .cut: "cut"
        case .pmicOff: "pmic_off"
        case .halt: "halt"
        case .idle(let frequency): "idle" + (frequency.map(String.init) ?? "")
        }
    }
}

/// One plateau of the static test: a board held in one state until the power stood still.
package struct StaticPlateau: Sendable, Equatable {
    package var board: String
    package var state: StaticState
    package var replicate: Int
    /// Room temperature, °C.
    package var ambientCelsius: Double
    /// SoC temperature, °C; nil in states where nobody can read it.
    package var socCelsius: Double?
    /// Voltage at the meter, V.
    package var supplyVolts: Double
    package var durationSeconds: Double
    /// Mean power at the meter plane, W, and its standard error (k = 1), autocorrelation counted.
    package var powerWatts: Double
    package var standardErrorWatts: Double
    /// Line of the file it came from, for messages.
    package var line: Int?

    package init(
        board: String, state: StaticState, replicate: Int = 0, ambientCelsius: Double, socCelsius: Double? = nil,
        supplyVolts: Double, durationSeconds: Double, powerWatts: Double, standardErrorWatts: Double, line: Int? = nil
    ) {
        self.board = board
        self.state = state
        self.replicate = replicate
        self.ambientCelsius = ambientCelsius
        self.socCelsius = socCelsius
        self.supplyVolts = supplyVolts
        self.durationSeconds = durationSeconds
        self.powerWatts = powerWatts
        self.standardErrorWatts = standardErrorWatts
        self.line = line
    }

    package static let requiredColumns = [
        "board", "state", "ambient_c", "supply_v", "duration_s", "power_meter_w", "se_w",
    ]

    /// Reads `plateaus.csv`. Values are checked against what a 5 V board can do, so that mV given as V is caught.
    /// - Throws: `MetrologyError.badTable` with file and line.
    package static func read(_ table: DelimitedTable) throws(MetrologyError) -> [StaticPlateau] {
        guard table.rowCount > 0 else {
            throw .badTable(file: table.file, line: nil, reason: "no rows below the header")
        }
        var plateaus: [StaticPlateau] = []
        for index in 0..<table.rowCount {
            let row = table.row(index)
            let board = try row.text("board")
            guard !board.isEmpty else { throw row.problem("board is empty") }
            let word = try row.text("state")
            guard let state = StaticState(word) else {
                throw row.problem("state \"\(word)\" is none of cut, pmic_off, halt, idle, idle<MHz>")
            }
            var soc = try row.optionalNumber("soc_c")
            if case .idle = state {
                guard let value = soc else {
                    throw row.problem("soc_c is empty; an idle plateau needs the SoC temperature")
                }
                guard (-20...110).contains(value) else {
                    throw row.problem("soc_c is \(value), expected -20 to 110 °C; is it in millidegrees?")
                }
            } else {
                soc = nil
            }
            let error = try row.number("se_w")
            guard error >= 0 else { throw row.problem("se_w is \(error); a standard error cannot be negative") }
            let plateau = StaticPlateau(
                board: board, state: state,
                replicate: table.index(of: "replicate") == nil ? 0 : try row.integer("replicate"),
                ambientCelsius: try row.number("ambient_c", in: -40...70, hint: "room temperature in °C"),
                socCelsius: soc,
                supplyVolts: try row.number("supply_v", in: 4.0...6.0, hint: "volts at the meter; is it in mV?"),
                durationSeconds: try row.number("duration_s", in: 1...86_400, hint: "seconds"),
                powerWatts: try row.number("power_meter_w", in: -1...30, hint: "watts; is it in mW?"),
                standardErrorWatts: error, line: row.line)
            if let twin = plateaus.first(where: { $0.isCopy(of: plateau) }) {
                throw row.problem("repeats line \(twin.line ?? 0) value for value; remove the copy")
            }
            plateaus.append(plateau)
        }
        return plateaus
    }

    private func isCopy(of other: StaticPlateau) -> Bool {
        var twin = other
        twin.line = line
        return self == twin
    }
}

/// One reading of both ends of the supply cable under load.
package struct CablePoint: Sendable, Equatable {
    package var board: String
    package var currentAmperes: Double
    /// Voltage at the meter and at the board, V.
    package var meterVolts: Double
    package var boardVolts: Double
    package var line: Int?

    package init(board: String, currentAmperes: Double, meterVolts: Double, boardVolts: Double, line: Int? = nil) {
        self.board = board
        self.currentAmperes = currentAmperes
        self.meterVolts = meterVolts
        self.boardVolts = boardVolts
        self.line = line
    }

    package static let requiredColumns = ["board", "current_a", "v_meter", "v_board"]

    /// Reads `cable.csv`.
    package static func read(_ table: DelimitedTable) throws(MetrologyError) -> [CablePoint] {
        guard table.rowCount > 0 else {
            throw .badTable(file: table.file, line: nil, reason: "no rows below the header")
        }
        var points: [CablePoint] = []
        for index in 0..<table.rowCount {
            let row = table.row(index)
            let point = CablePoint(
                board: try row.text("board"),
                currentAmperes: try row.number("current_a", in: 0...6, hint: "amperes; is it in mA?"),
                meterVolts: try row.number("v_meter", in: 4.0...6.0, hint: "volts; is it in mV?"),
                boardVolts: try row.number("v_board", in: 3.5...6.0, hint: "volts; is it in mV?"), line: row.line)
            if let twin = points.first(where: { (old: CablePoint) in
                var copy = old
                copy.line = point.line
                return copy == point
            }) {
                throw row.problem("repeats line \(twin.line ?? 0) value for value; remove the copy")
            }
            points.append(point)
        }
        return points
    }
}
