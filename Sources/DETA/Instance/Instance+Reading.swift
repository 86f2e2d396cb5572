package import Foundation

extension Instance {
    /// Reads and checks an instance (`deta-instance/1`, plain JSON text).
    /// - Throws: `DETAError.syntax` (line, column) or `.invalid` (JSON path, reason). Unknown fields, duplicates, wrong
    ///   shapes, NaN, negative values and contradictions are refused; nothing is repaired.
    package init(json data: Data) throws(DETAError) {
        try self.init(JSONCursor(node: try JSONParser.parse(data), path: ""))
    }

    private init(_ top: JSONCursor) throws(DETAError) {
        let field = try top.fields([
            "schema", "name", "seed", "note", "slot_hours", "n_slots", "servers", "carbon_g_per_kwh", "harvest_wh",
            "arrivals_batches", "trade", "offload", "barriers", "terminal_soc", "grid_charging",
        ])
        let schema = try field("schema")
        let found = try schema.text()
        guard found == Self.schema else {
            throw schema.failure("\"\(Self.schema)\" is expected, found \"\(found)\"")
        }
        name = try field("name").text()
        let seedField = field.optional("seed")
        if let seedField, !seedField.isNull {
            seed = try seedField.integer(-(1 << 53)...(1 << 53))
        } else {
            seed = nil
        }
        if let noteField = field.optional("note"), !noteField.isNull { note = try noteField.text() } else { note = nil }
        slotHours = try field("slot_hours").number(Double.leastNormalMagnitude...Double.greatestFiniteMagnitude)
        slots = try field("n_slots").integer(1...1_000_000)

        let serversField = try field("servers")
        var servers: [Server] = []
        var ids: [String: Int] = [:]
        for (index, node) in try serversField.items().enumerated() {
            let cursor = serversField.item(index, node)
            let server = try Server(cursor)
            if let earlier = ids.updateValue(index, forKey: server.id) {
                throw cursor.failure("id \"\(server.id)\" is already that of servers[\(earlier)]")
            }
            servers.append(server)
        }
        guard !servers.isEmpty else { throw serversField.failure("at least one server is needed") }
        self.servers = servers
        carbon = try field("carbon_g_per_kwh").table(rows: servers.count, columns: slots)
        harvest = try field("harvest_wh").table(rows: servers.count, columns: slots)
        arrivals = try field("arrivals_batches").table(rows: servers.count, columns: slots)
        trade = try Trade(try field("trade"))
        offload = try Offload(try field("offload"), slots: slots)
        barriers = try Self.barriers(try field("barriers"), slots: slots)
        terminalRule = try field("terminal_soc").choice(TerminalRule.self)
        gridCharging = try field("grid_charging").bool()
    }

    /// Ascending slots. An evenly spaced list names a round; the horizon must then hold whole rounds.
    private static func barriers(_ field: JSONCursor, slots: Int) throws(DETAError) -> [Int] {
        var list: [Int] = []
        for (index, node) in try field.items().enumerated() {
            let cursor = field.item(index, node)
            let slot = try cursor.integer(0...(slots - 1))
            if let last = list.last, slot <= last {
                throw cursor.failure("barriers must ascend, found \(slot) after \(last)")
            }
            list.append(slot)
        }
        if list.count >= 2 {
            let round = list[0] + 1
            let even = zip(list, list.dropFirst()).allSatisfy { $1 - $0 == round }
            if even, slots % round != 0 {
                throw field.failure(
                    "the barriers say rounds of \(round) slots, but n_slots \(slots) is not a multiple of it; "
                        + "add barrier \(slots - 1) if a short last round is meant")
            }
        }
        return list
    }
}

extension Server {
    fileprivate init(_ cursor: JSONCursor) throws(DETAError) {
        let field = try cursor.fields([
            "id", "region", "p_idle_w", "p_sleep_w", "wake_wh", "wake_slot_fraction", "initially_awake", "e_batch_wh",
            "capacity_batches_per_slot", "storage_batches", "battery",
        ])
        let regionField = field.optional("region")
        let batteryField = try field("battery")
        self.init(
            id: try field("id").text(),
            region: try regionField.flatMap { (cursor) throws(DETAError) -> String? in
                cursor.isNull ? nil : try cursor.text()
            },
            idleW: try field("p_idle_w").amount(),
            sleepW: try field("p_sleep_w").amount(),
            wakeWh: try field("wake_wh").amount(),
            wakeSlotFraction: try field("wake_slot_fraction").wakeFraction(),
            initiallyAwake: try field("initially_awake").bool(),
            batchWh: try field("e_batch_wh").amount(),
            capacityBatches: try field("capacity_batches_per_slot").amount(),
            storageBatches: try field("storage_batches").amount(),
            battery: batteryField.isNull ? .none : try Battery(batteryField))
    }
}

extension JSONCursor {
    fileprivate func wakeFraction() throws(DETAError) -> Double {
        let value = try amount()
        guard value <= 1 else {
            throw failure("waking must fit into one slot (at most 1), found \(shortest(value)); use longer slots")
        }
        return value
    }
}

extension Battery {
    fileprivate init(_ cursor: JSONCursor) throws(DETAError) {
        let field = try cursor.fields([
            "capacity_wh", "initial_wh", "max_charge_w", "max_discharge_w", "eta_charge", "eta_discharge",
            "self_discharge_per_slot",
        ])
        let capacity = try field("capacity_wh").amount()
        // Without a battery its efficiencies mean nothing and may be 0.
        let lowest = capacity > 0 ? 1e-9 : 0
        self.init(
            capacityWh: capacity,
            initialWh: try field("initial_wh").amount(),
            maxChargeW: try field("max_charge_w").amount(),
            maxDischargeW: try field("max_discharge_w").amount(),
            etaCharge: try field("eta_charge").number(lowest...1),
            etaDischarge: try field("eta_discharge").number(lowest...1),
            selfDischargePerSlot: try field("self_discharge_per_slot").number(0...1))
        guard initialWh <= capacityWh else {
            throw try field("initial_wh").failure(
                "more than capacity_wh: \(shortest(initialWh)) > \(shortest(capacityWh))")
        }
    }
}

extension Trade {
    fileprivate init(_ cursor: JSONCursor) throws(DETAError) {
        let field = try cursor.fields(["cap_fraction", "cap_basis", "efficiency"])
        self.init(
            capFraction: try field("cap_fraction").number(0...1),
            capBasis: try field.optional("cap_basis")?.choice(CapBasis.self) ?? .slot,
            efficiency: try field("efficiency").number(0...1))
    }
}

extension Offload {
    fileprivate init(_ cursor: JSONCursor, slots: Int) throws(DETAError) {
        let field = try cursor.fields([
            "cap_fraction", "cap_basis", "tx_wh_per_batch", "rx_wh_per_batch", "net_wh_per_batch",
            "net_carbon_g_per_kwh", "requires_awake",
        ])
        self.init(
            capFraction: try field("cap_fraction").number(0...1),
            capBasis: try field.optional("cap_basis")?.choice(CapBasis.self) ?? .slot,
            txWhPerBatch: try field("tx_wh_per_batch").amount(),
            rxWhPerBatch: try field("rx_wh_per_batch").amount(),
            netWhPerBatch: try field("net_wh_per_batch").amount(),
            netCarbon: try field("net_carbon_g_per_kwh").amounts(slots, of: "n_slots"),
            requiresAwake: try field.optional("requires_awake")?.bool() ?? true)
    }
}
