/// `bench.yaml`: one host with its meters, boards and GPIO lines.
package struct BenchFile: Sendable, Equatable {
    /// Power state a board is put into to sleep, and the one it is left in when a campaign ends for any reason.
    package enum PowerState: String, Sendable, CaseIterable, Codable {
        /// 5 V removed by a relay or MOSFET between meter and board.
        case cut
        /// Power-management chip off (`POWER_OFF_ON_HALT=1`), woken by a GLOBAL_EN pulse.
        case off
        /// Halted with the chip on, woken by GPIO3, GLOBAL_EN or RUN.
        case halt
        /// Running.
        case on
    }

    package struct Line: Sendable, Equatable {
        /// A role of firmware-notes/wiring.md, as `BoardControl.LineRole` names it.
        package var role: String
        package var chip: String
        package var offset: Int
        package var activeLow: Bool
    }

    package struct Battery: Sendable, Equatable {
        package var capacityWattHours: Double
        package var initialWattHours: Double
        package var maxChargeWatts: Double
        package var maxDischargeWatts: Double
    }

    package struct Board: Sendable, Equatable {
        package var name: String
        /// FL node that runs on the board.
        package var node: String
        /// Serial of the meter in the board's 5 V line.
        package var meter: String
        package var region: String
        /// Grid carbon intensity, g CO2e/kWh; nil: looked up by region when energies are turned into carbon.
        package var carbonGramsPerKilowattHour: Double?
        /// +1 or −1: which way the meter is plugged in. Raw samples stay as they are.
        package var currentSign: Int
        package var sleepState: PowerState
        package var safeState: PowerState
        package var lines: [Line]
        /// Resistance between meter and board, connectors included, Ω, with its standard uncertainty; nil: not measured,
        /// power models are then stated at the meter.
        package var cableOhms: Double?
        package var cableOhmsUncertainty: Double?
        package var panelWatts: Double
        package var battery: Battery?
    }

    package struct Pulses: Sendable, Equatable {
        /// Low time of GLOBAL_EN, ms. Needs more than 1 ms; 100 ms is a published controller's value.
        package var globalEnableMilliseconds: Int
        package var gpio3WakeMilliseconds: Int
        package var shutdownRequestMilliseconds: Int
    }

    package var name: String
    package var boards: [Board]
    package var pulses: Pulses
    /// Address of the marker listener, `tcp://HOST:PORT`; port 0 picks a free one.
    package var markers: String
    /// Period between two polls of one meter, ms.
    package var pollMilliseconds: Int
    /// Seed of the virtual bench; nil for a real one.
    package var virtualSeed: UInt64?

    package func board(ofNode node: String) -> Board? { boards.first { $0.node == node } }
}

extension BenchFile {
    /// Reads and checks a bench file. - Throws: `SettingsError` naming file, line and key.
    package init(yaml text: String, file: String) throws(SettingsError) {
        var root = try SettingsNode(text: text, file: file)
        let format = try root.int("wattbench", in: 0...Int.max)
        guard format == 1 else { throw root.failure("wattbench", "is format \(format); this version reads format 1") }
        name = try root.string("name")
        markers = try root.optionalString("markers") ?? "tcp://127.0.0.1:7077"
        pollMilliseconds = try root.int("poll_ms", in: 5...60, default: 25)
        if var node = try root.child("virtual") {
            virtualSeed = UInt64(try node.int("seed", in: 0...Int.max, default: 1))
            try node.finish()
        }
        pulses = try Self.pulses(&root)
        boards = []
        for var node in try root.children("boards") { boards.append(try Self.board(&node)) }
        try root.finish()
        guard !boards.isEmpty else { throw root.failure("boards", "is missing: a bench has at least one board") }
        try Self.refuseRepeats(boards, root)
    }

    private static func pulses(_ root: inout SettingsNode) throws(SettingsError) -> Pulses {
        var pulses = Pulses(globalEnableMilliseconds: 100, gpio3WakeMilliseconds: 200, shutdownRequestMilliseconds: 300)
        guard var node = try root.child("pulses") else { return pulses }
        pulses.globalEnableMilliseconds = try node.int("global_en_ms", in: 2...5000, default: 100)
        pulses.gpio3WakeMilliseconds = try node.int("gpio3_wake_ms", in: 1...5000, default: 200)
        pulses.shutdownRequestMilliseconds = try node.int("shutdown_request_ms", in: 1...10_000, default: 300)
        try node.finish()
        return pulses
    }

    private static func board(_ node: inout SettingsNode) throws(SettingsError) -> Board {
        let name = try node.string("name")
        var board = Board(
            name: name, node: try node.optionalString("node") ?? name, meter: try node.string("meter"),
            region: try node.string("region"), carbonGramsPerKilowattHour: nil,
            currentSign: try node.int("current_sign", in: -1...1, default: 1),
            sleepState: try node.choice("sleep_state", default: .off),
            safeState: try node.choice("safe_state", default: .on), lines: [],
            cableOhms: nil, cableOhmsUncertainty: nil,
            panelWatts: try node.double("panel_w", in: 0...100_000, default: 0), battery: nil)
        guard board.currentSign != 0 else { throw node.failure("current_sign", "must be 1 or -1") }
        if node.has("carbon_g_per_kwh") {
            board.carbonGramsPerKilowattHour = try node.double("carbon_g_per_kwh", in: 0...3000)
        }
        if node.has("cable_ohm") { board.cableOhms = try node.double("cable_ohm", in: 0...1) }
        if node.has("u_cable_ohm") {
            board.cableOhmsUncertainty = try node.double("u_cable_ohm", in: 0...1)
        }
        for var line in try node.children("lines") {
            board.lines.append(
                Line(
                    role: try line.string("role"), chip: try line.string("chip"),
                    offset: try line.int("offset", in: 0...1023),
                    activeLow: try line.bool("active_low", default: true)))
            try line.finish()
        }
        if var battery = try node.child("battery") {
            board.battery = try Self.battery(&battery)
        }
        try node.finish()
        return board
    }

    private static func battery(_ node: inout SettingsNode) throws(SettingsError) -> Battery {
        let battery = Battery(
            capacityWattHours: try node.double("capacity_wh", in: 0...1e6),
            initialWattHours: try node.double("initial_wh", in: 0...1e6, default: 0),
            maxChargeWatts: try node.double("max_charge_w", in: 0...1e6),
            maxDischargeWatts: try node.double("max_discharge_w", in: 0...1e6))
        guard battery.initialWattHours <= battery.capacityWattHours else {
            throw node.failure("initial_wh", "is larger than capacity_wh")
        }
        try node.finish()
        return battery
    }

    private static func refuseRepeats(_ boards: [Board], _ root: SettingsNode) throws(SettingsError) {
        for (key, values) in [
            ("name", boards.map(\.name)), ("node", boards.map(\.node)), ("meter", boards.map(\.meter)),
        ] {
            var seen: Set<String> = []
            for value in values where !seen.insert(value).inserted {
                throw root.failure("boards", "two boards have the \(key) '\(value)'")
            }
        }
        var lines: [String: String] = [:]
        for board in boards {
            for line in board.lines {
                let place = "\(line.chip) line \(line.offset)"
                if let other = lines.updateValue(board.name, forKey: place) {
                    throw root.failure("boards", "\(place) is wired to '\(other)' and to '\(board.name)'")
                }
            }
        }
    }
}
