/// Writes columns and rows; the rule numbers are those of deta.md section 3.
struct FormulationBuilder {
    let instance: Instance
    let variant: Variant
    let latePrice: Double?
    let initialQueue: [Double]
    private(set) var model = LinearModel()
    private(set) var columns: Columns
    private let barrier: [Bool]
    private let count: Int
    private let slots: Int
    private let hours: Double
    private var lateBase = -1
    private let hasBattery: Bool

    init(_ instance: Instance, variant: Variant, latePrice: Double?, initialQueue: [Double]?) {
        self.instance = instance
        self.variant = variant
        self.latePrice = latePrice
        self.initialQueue = initialQueue ?? [Double](repeating: 0, count: instance.servers.count)
        columns = Columns(slots: instance.slots)
        barrier = instance.isBarrier
        count = instance.servers.count
        slots = instance.slots
        hours = instance.slotHours
        hasBattery = instance.servers.contains { $0.battery.capacityWh > 0 }
        let cells = count * slots
        model.reserve(columns: 13 * cells, rows: 8 * cells + 2 * slots, nonzeros: 30 * cells)
    }

    /// Most energy server i may send in slot t by harvest, battery and a slot-wise cap.
    private func exportLimit(_ i: Int, _ t: Int) -> Double {
        guard instance.trade.efficiency > 0, instance.trade.capFraction > 0 else { return 0 }
        let harvest = instance.harvest[instance.at(i, t)]
        let battery = instance.servers[i].battery
        let source = harvest + (battery.capacityWh > 0 ? battery.maxDischargeW * hours : 0)
        switch instance.trade.capBasis {
        case .slot: return min(source, instance.trade.capFraction * harvest)
        case .cumulative, .horizon: return source
        }
    }

    /// Most batches server i may send in slot t: what has arrived and may move.
    private func sendLimit(_ i: Int, _ t: Int) -> Double {
        let offload = instance.offload
        let row = instance.arrivals[(i * slots)..<((i + 1) * slots)]
        switch offload.capBasis {
        case .slot: return offload.capFraction * instance.arrivals[instance.at(i, t)]
        case .cumulative: return offload.capFraction * row.prefix(t + 1).reduce(0, +)
        case .horizon: return offload.capFraction * row.reduce(0, +)
        }
    }

    /// A block of N·T columns, each described by cost, lower and upper bound.
    private mutating func block(
        _ flow: Flow, integer: Bool = false,
        _ column: (_ server: Int, _ slot: Int) -> (cost: Double, lower: Double, upper: Double)
    ) {
        columns.base[flow.rawValue] = model.columns
        for i in 0..<count {
            for t in 0..<slots {
                let (cost, lower, upper) = column(i, t)
                model.addColumn(cost: cost, lower: lower, upper: upper, integer: integer)
            }
        }
    }

    mutating func addColumns() {
        let instance = instance
        let servers = instance.servers
        let barrier = barrier
        let soft = latePrice != nil
        block(.g) { i, t in (instance.carbon[instance.at(i, t)] / 1000, 0, .infinity) }
        block(.w) { i, t in (0, 0, instance.harvest[instance.at(i, t)]) }
        if hasBattery { addBatteryColumns() }
        block(.x) { i, _ in (0, 0, servers[i].capacityBatches) }
        block(.q) { i, t in (0, 0, soft ? .infinity : barrier[t] ? 0 : servers[i].storageBatches) }
        if variant.trades {
            let limits = (0..<count).map { i in (0..<slots).map { exportLimit(i, $0) } }
            block(.exp) { i, t in (0, 0, limits[i][t]) }
            block(.imp) { _, _ in (0, 0, .infinity) }
        }
        if variant.offloads {
            let limits = (0..<count).map { i in (0..<slots).map { sendLimit(i, $0) } }
            let offload = instance.offload
            block(.out) { i, t in (offload.netCarbon[t] / 1000 * offload.netWhPerBatch, 0, limits[i][t]) }
            block(.in_) { _, _ in (0, 0, .infinity) }
        }
        if variant.sleeps {
            block(.u, integer: true) { _, _ in (0, 0, 1) }
            block(.z) { _, _ in (0, 0, 1) }
        }
        if let latePrice {
            lateBase = model.columns
            for _ in 0..<(count * slots) { model.addColumn(cost: latePrice) }
        }
    }

    private mutating func addBatteryColumns() {
        let instance = instance
        let hours = hours
        func limit(_ i: Int, _ watts: (Battery) -> Double) -> Double {
            let battery = instance.servers[i].battery
            return battery.capacityWh > 0 ? watts(battery) * hours : 0
        }
        block(.ch) { i, _ in (0, 0, limit(i, \.maxChargeW)) }
        block(.dis) { i, _ in (0, 0, limit(i, \.maxDischargeW)) }
        block(.s) { i, t in
            let battery = instance.servers[i].battery
            let last = t == instance.slots - 1 && instance.terminalRule == .atLeastInitial
            return (0, last ? battery.initialWh : 0, battery.capacityWh)
        }
    }

    mutating func addServerRows() {
        for i in 0..<count {
            for t in 0..<slots {
                addEnergyRows(i, t)
                addQueueRow(i, t)
                if variant.sleeps { addSleepRows(i, t) }
            }
            if variant.trades {
                addCap(
                    .exp, i, basis: instance.trade.capBasis, fraction: instance.trade.capFraction, of: instance.harvest)
            }
            if variant.offloads {
                addCap(
                    .out, i, basis: instance.offload.capBasis, fraction: instance.offload.capFraction,
                    of: instance.arrivals)
            }
        }
    }

    /// Rules 1 to 4.
    private mutating func addEnergyRows(_ i: Int, _ t: Int) {
        let server = instance.servers[i]
        let harvest = instance.harvest[instance.at(i, t)]
        let battery = server.battery
        let stores = battery.capacityWh > 0

        model.term(columns(.g, i, t), 1)
        model.term(columns(.w, i, t), -1)
        if stores {
            model.term(columns(.dis, i, t), 1)
            model.term(columns(.ch, i, t), -1)
        }
        model.term(columns(.x, i, t), -server.batchWh)
        if variant.trades {
            model.term(columns(.imp, i, t), 1)
            model.term(columns(.exp, i, t), -1)
        }
        if variant.offloads {
            model.term(columns(.out, i, t), -instance.offload.txWhPerBatch)
            model.term(columns(.in_, i, t), -instance.offload.rxWhPerBatch)
        }
        var fixedLoad = hours * server.idleW
        if variant.sleeps {
            model.term(columns(.u, i, t), -hours * (server.idleW - server.sleepW))
            model.term(columns(.z, i, t), -server.wakeWh)
            fixedLoad = hours * server.sleepW
        }
        model.endRow(lower: fixedLoad - harvest, upper: fixedLoad - harvest)

        if variant.trades, model.columnUpper[columns(.exp, i, t)] > 0 {
            model.term(columns(.exp, i, t), 1)
            model.term(columns(.w, i, t), 1)
            if stores { model.term(columns(.dis, i, t), -1) }
            model.endRow(lower: -.infinity, upper: harvest)
        }
        guard stores else { return }
        if !instance.gridCharging {
            // Without a battery this follows from the row above, or from w <= h.
            model.term(columns(.ch, i, t), 1)
            model.term(columns(.w, i, t), 1)
            model.term(columns(.dis, i, t), -1)
            if variant.trades {
                model.term(columns(.exp, i, t), 1)
                model.term(columns(.imp, i, t), -1)
            }
            model.endRow(lower: -.infinity, upper: harvest)
        }
        let kept = 1 - battery.selfDischargePerSlot
        model.term(columns(.s, i, t), 1)
        if t > 0 { model.term(columns(.s, i, t - 1), -kept) }
        model.term(columns(.ch, i, t), -battery.etaCharge)
        model.term(columns(.dis, i, t), 1 / battery.etaDischarge)
        let before = t == 0 ? kept * battery.initialWh : 0
        model.endRow(lower: before, upper: before)
    }

    /// Rule 5.
    private mutating func addQueueRow(_ i: Int, _ t: Int) {
        model.term(columns(.q, i, t), 1)
        if t > 0 { model.term(columns(.q, i, t - 1), -1) }
        model.term(columns(.x, i, t), 1)
        if variant.offloads {
            model.term(columns(.in_, i, t), -1)
            model.term(columns(.out, i, t), 1)
        }
        let arrivals = instance.arrivals[instance.at(i, t)] + (t == 0 ? initialQueue[i] : 0)
        model.endRow(lower: arrivals, upper: arrivals)
        if latePrice != nil {
            model.term(columns(.q, i, t), 1)
            model.term(lateBase + instance.at(i, t), -1)
            model.endRow(lower: -.infinity, upper: barrier[t] ? 0 : instance.servers[i].storageBatches)
        }
    }

    /// Rules 6 to 8.
    private mutating func addSleepRows(_ i: Int, _ t: Int) {
        let server = instance.servers[i]
        let awake = columns(.u, i, t)
        let wake = columns(.z, i, t)
        model.term(columns(.x, i, t), 1)
        model.term(awake, -server.capacityBatches)
        model.term(wake, server.capacityBatches * server.wakeSlotFraction)
        model.endRow(lower: -.infinity, upper: 0)

        model.term(wake, 1)
        model.term(awake, -1)
        if t > 0 { model.term(columns(.u, i, t - 1), 1) }
        model.endRow(lower: t == 0 && server.initiallyAwake ? -1 : 0, upper: .infinity)

        guard variant.offloads, instance.offload.requiresAwake else { return }
        let out = columns(.out, i, t)
        if model.columnUpper[out] > 0 {
            model.term(out, 1)
            model.term(awake, -model.columnUpper[out])
            model.endRow(lower: -.infinity, upper: 0)
        }
        // Work received and not sent on is processed or stored in the slot, so this never binds an awake server.
        // With soft limits a queue may hold all the work there is.
        let stored =
            latePrice != nil
            ? instance.arrivals.reduce(0, +) + initialQueue.reduce(0, +) : barrier[t] ? 0 : server.storageBatches
        model.term(columns(.in_, i, t), 1)
        model.term(awake, -(server.capacityBatches + stored))
        model.endRow(lower: -.infinity, upper: 0)
    }

    /// Running and whole-horizon caps (section 5); the slot-wise cap is a column bound already.
    private mutating func addCap(_ flow: Flow, _ i: Int, basis: CapBasis, fraction: Double, of base: [Double]) {
        switch basis {
        case .slot: return
        case .horizon:
            var total = 0.0
            for t in 0..<slots {
                model.term(columns(flow, i, t), 1)
                total += base[instance.at(i, t)]
            }
            model.endRow(lower: -.infinity, upper: fraction * total)
        case .cumulative:
            // A column for the running total keeps the rows short.
            var total = 0.0
            var previous = -1
            for t in 0..<slots {
                total += base[instance.at(i, t)]
                let running = model.addColumn(cost: 0, upper: fraction * total)
                model.term(running, 1)
                if previous >= 0 { model.term(previous, -1) }
                model.term(columns(flow, i, t), -1)
                model.endRow(lower: 0, upper: 0)
                previous = running
            }
        }
    }

    /// Rule 9. Returns the rows of the energy and the work pool by slot.
    mutating func addPools() -> (energy: [Int], work: [Int]) {
        var energy: [Int] = []
        var work: [Int] = []
        for t in 0..<slots {
            if variant.trades {
                for i in 0..<count {
                    model.term(columns(.imp, i, t), 1)
                    model.term(columns(.exp, i, t), -instance.trade.efficiency)
                }
                energy.append(model.endRow(lower: 0, upper: 0))
            }
            if variant.offloads {
                for i in 0..<count {
                    model.term(columns(.out, i, t), 1)
                    model.term(columns(.in_, i, t), -1)
                }
                work.append(model.endRow(lower: 0, upper: 0))
            }
        }
        return (energy, work)
    }

    /// Rows that every integer sleep pattern keeps.
    mutating func addStrengthening(fleetRows: Bool) {
        let offload = instance.offload
        for i in 0..<count {
            let server = instance.servers[i]
            for t in 0..<slots {
                model.term(columns(.z, i, t), 1)
                model.term(columns(.u, i, t), -1)
                model.endRow(lower: -.infinity, upper: 0)
                if t > 0 {
                    model.term(columns(.z, i, t), 1)
                    model.term(columns(.u, i, t - 1), 1)
                    model.endRow(lower: -.infinity, upper: 1)
                } else if server.initiallyAwake {
                    model.setBounds(column: columns(.z, i, 0), lower: 0, upper: 0)
                }
            }
            guard latePrice == nil, server.capacityBatches > 0, offload.capBasis == .slot || !variant.offloads else {
                continue
            }
            // The share of a round's arrivals that must stay fills a whole number of slots.
            let stays = variant.offloads ? 1 - offload.capFraction : 1
            for round in instance.rounds where round.count > 1 {
                let work = round.reduce(0.0) { $0 + instance.arrivals[instance.at(i, $1)] }
                let needed = (stays * work / server.capacityBatches - 1e-9).rounded(.up)
                guard needed >= 1 else { continue }
                for t in round { model.term(columns(.u, i, t), 1) }
                model.endRow(lower: needed, upper: .infinity)
            }
        }
        if fleetRows { addFleetRounds() }
    }

    /// Over a round the fleet must be awake for a whole number of server-slots, where all servers are equally fast.
    private mutating func addFleetRounds() {
        guard variant.offloads, latePrice == nil, let capacity = instance.servers.first?.capacityBatches, capacity > 0,
            instance.servers.allSatisfy({ $0.capacityBatches == capacity })
        else { return }
        for round in instance.rounds {
            let work = round.reduce(0.0) { sum, t in
                sum + (0..<count).reduce(0.0) { $0 + instance.arrivals[instance.at($1, t)] }
            }
            let needed = (work / capacity - 1e-9).rounded(.up)
            guard needed >= 1 else { continue }
            for i in 0..<count { for t in round { model.term(columns(.u, i, t), 1) } }
            model.endRow(lower: needed, upper: .infinity)
        }
    }
}
