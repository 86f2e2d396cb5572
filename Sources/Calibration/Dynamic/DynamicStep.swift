package import Metrology

/// One step of the dynamic test: a board held at one clock and load, means over the plateau.
package struct DynamicStep: Sendable, Equatable {
    package var board: String
    package var replicate: Int
    package var order: Int
    package var frequencyMegahertz: Double
    /// Core voltage, V.
    package var coreVolts: Double
    /// Sum of core utilisations, 0 to the number of cores.
    package var utilization: Double
    /// Traffic at the interface, Mbit/s.
    package var transmitMegabits: Double
    package var receiveMegabits: Double
    package var socCelsius: Double
    /// Mean power at the board plane, W, and its standard error.
    package var powerWatts: Double
    package var standardErrorWatts: Double
    package var durationSeconds: Double
    package var throttled: Bool
    package var line: Int?

    package init(
        board: String, replicate: Int, order: Int, frequencyMegahertz: Double, coreVolts: Double, utilization: Double,
        transmitMegabits: Double = 0, receiveMegabits: Double = 0, socCelsius: Double, powerWatts: Double,
        standardErrorWatts: Double, durationSeconds: Double, throttled: Bool = false, line: Int? = nil
    ) {
        self.board = board
        self.replicate = replicate
        self.order = order
        self.frequencyMegahertz = frequencyMegahertz
        self.coreVolts = coreVolts
        self.utilization = utilization
        self.transmitMegabits = transmitMegabits
        self.receiveMegabits = receiveMegabits
        self.socCelsius = socCelsius
        self.powerWatts = powerWatts
        self.standardErrorWatts = standardErrorWatts
        self.durationSeconds = durationSeconds
        self.throttled = throttled
        self.line = line
    }

    package static let requiredColumns = [
        "board", "f_mhz", "vcore_v", "util_sum", "tx_mbit_s", "rx_mbit_s", "soc_c", "power_w", "throttled",
    ]

    /// V²f in V²·GHz: what CMOS switching power is proportional to.
    var switching: Double { coreVolts * coreVolts * frequencyMegahertz / 1000 }

    /// Nothing running and next to nothing on the wire: the anchor of a board.
    package var isIdle: Bool { utilization < 0.05 && transmitMegabits + receiveMegabits < 0.1 }

    /// Reads `steps.csv`, checking every value against what the board can do.
    /// - Throws: `MetrologyError.badTable` with file and line.
    package static func read(_ table: DelimitedTable) throws(MetrologyError) -> [DynamicStep] {
        guard table.rowCount > 0 else {
            throw .badTable(file: table.file, line: nil, reason: "no rows below the header")
        }
        var steps: [DynamicStep] = []
        var seen: [String: Int] = [:]
        for index in 0..<table.rowCount {
            let row = table.row(index)
            let board = try row.text("board")
            guard !board.isEmpty else { throw row.problem("board is empty") }
            let throttled = try row.integer("throttled")
            guard throttled == 0 || throttled == 1 else {
                throw row.problem("throttled is \(throttled), expected 0 or 1")
            }
            let error = try row.optionalNumber("se_w") ?? 0
            guard error >= 0 else { throw row.problem("se_w is \(error); a standard error cannot be negative") }
            let step = DynamicStep(
                board: board, replicate: table.index(of: "replicate") == nil ? 0 : try row.integer("replicate"),
                order: table.index(of: "order") == nil ? index : try row.integer("order"),
                frequencyMegahertz: try row.number("f_mhz", in: 100...4000, hint: "MHz; is it in Hz, kHz or GHz?"),
                coreVolts: try row.number("vcore_v", in: 0.5...1.6, hint: "volts; is it in mV?"),
                utilization: try row.number("util_sum", in: -0.05...64.5, hint: "sum over cores; is it in percent?"),
                transmitMegabits: try row.number("tx_mbit_s", in: 0...10_500, hint: "Mbit/s; is it in bit/s?"),
                receiveMegabits: try row.number("rx_mbit_s", in: 0...10_500, hint: "Mbit/s; is it in bit/s?"),
                socCelsius: try row.number("soc_c", in: -20...110, hint: "°C; is it in millidegrees?"),
                powerWatts: try row.number("power_w", in: 0.05...40, hint: "watts; is it in mW?"),
                standardErrorWatts: error, durationSeconds: try row.optionalNumber("duration_s") ?? 0,
                throttled: throttled == 1, line: row.line)
            let key = (0..<table.columns.count).filter { table.columns[$0] != "order" }
                .map { table.text(row: index, column: $0) }.joined(separator: "\u{1}")
            if let line = seen[key] { throw row.problem("repeats line \(line) value for value; remove the copy") }
            seen[key] = row.line
            steps.append(step)
        }
        return steps
    }
}
