/// Checks a claimed schedule against every rule of the instance, from the numbers in the two files alone: no solver, no
/// formulation, nothing of the planner is used here.
package struct Audit {
    package struct Finding: Sendable, Equatable, Codable {
        package var rule: String
        package var server: Int?
        package var slot: Int?
        /// By how much the rule is broken, in the rule's unit.
        package var amount: Double
        package var text: String
    }

    package struct Report: Sendable {
        package var variant: String
        package var rulesChecked: Int
        package var findings: [Finding]
        /// g, recomputed from grid energy and moved batches.
        package var objectiveG: Double
        package var largestResidual: Double
        package var passed: Bool { findings.isEmpty }
    }

    private let instance: Instance
    private let flow: [String: [Double]]
    private let tolerance: Double
    private let trades: Bool
    private let offloads: Bool
    private let sleeps: Bool
    /// Shared by the rules, so that these need not be mutating and can word a finding only when there is one.
    private final class Ledger {
        var findings: [Finding] = []
        var checks = 0
        var largest = 0.0
    }
    private let ledger = Ledger()

    /// - Parameter tolerance: relative to the size of the numbers in each rule (and absolute below one unit).
    /// - Returns: nil if the claim has no schedule to check.
    package static func run(_ claim: AnswerFile.Claim, instance: Instance, tolerance: Double = 1e-6) -> Report? {
        guard !claim.solution.isEmpty else { return nil }
        let audit = Audit(claim: claim, instance: instance, tolerance: tolerance)
        audit.everything(claim)
        return Report(
            variant: claim.variant, rulesChecked: audit.ledger.checks, findings: audit.ledger.findings,
            objectiveG: audit.carbon(), largestResidual: audit.ledger.largest)
    }

    private init(claim: AnswerFile.Claim, instance: Instance, tolerance: Double) {
        self.instance = instance
        self.tolerance = tolerance
        flow = claim.solution
        trades = ["det", "deta", "deta_nosleep"].contains(claim.variant)
        offloads = ["dat", "deta", "dat_nosleep", "deta_nosleep"].contains(claim.variant)
        sleeps = ["dat", "deta", "sleep_only"].contains(claim.variant)
    }

    private func v(_ name: String, _ i: Int, _ t: Int) -> Double { flow[name]?[i * instance.slots + t] ?? 0 }

    /// Records a rule `excess <= 0`; `scale` is the size of the numbers in it.
    private func require(
        _ excess: Double, _ scale: Double, _ rule: String, _ i: Int?, _ t: Int?, _ text: @autoclosure () -> String
    ) {
        ledger.checks += 1
        let relative = excess / max(1, scale)
        ledger.largest = max(ledger.largest, relative)
        if !(relative <= tolerance) {
            ledger.findings.append(Finding(rule: rule, server: i, slot: t, amount: excess, text: text()))
        }
    }

    private func requireEqual(
        _ a: Double, _ b: Double, _ rule: String, _ i: Int?, _ t: Int?, _ text: @autoclosure () -> String
    ) { require(abs(a - b), max(abs(a), abs(b)), rule, i, t, text()) }

    private func everything(_ claim: AnswerFile.Claim) {
        for i in instance.servers.indices {
            for t in 0..<instance.slots {
                signs(i, t)
                energy(i, t)
                battery(i, t)
                work(i, t)
                sleep(i, t)
                tidiness(i, t)
            }
            caps(i)
            serverTotals(i)
        }
        for t in 0..<instance.slots { pools(t) }
        fleetTotals()
        if let stated = claim.objectiveG {
            requireEqual(stated, carbon(), "objective", nil, nil, "stated \(stated) g, recomputed \(carbon()) g")
            if let bound = claim.boundG {
                require(bound - stated, abs(stated), "bound", nil, nil, "the bound lies above the objective")
            }
        } else {
            require(.infinity, 1, "objective", nil, nil, "a schedule without an objective")
        }
    }

    private func carbon() -> Double {
        var grams = 0.0
        for i in instance.servers.indices {
            for t in 0..<instance.slots {
                grams += v("g", i, t) * instance.carbon[i * instance.slots + t] / 1000
                grams += v("out", i, t) * instance.offload.netWhPerBatch * instance.offload.netCarbon[t] / 1000
            }
        }
        return grams
    }

    private func load(_ i: Int, _ t: Int) -> Double {
        let server = instance.servers[i]
        let u = v("u", i, t)
        return instance.slotHours * (u * server.idleW + (1 - u) * server.sleepW) + server.batchWh * v("x", i, t)
            + instance.offload.txWhPerBatch * v("out", i, t) + instance.offload.rxWhPerBatch * v("in", i, t)
            + server.wakeWh * v("z", i, t)
    }

    private func signs(_ i: Int, _ t: Int) {
        for name in AnswerFile.flowNames {
            require(-v(name, i, t), 1, "sign", i, t, "\(name) is negative: \(v(name, i, t))")
        }
        if !trades {
            require(v("exp", i, t) + v("imp", i, t), 1, "no trade", i, t, "energy is traded in a variant without trade")
        }
        if !offloads {
            require(v("out", i, t) + v("in", i, t), 1, "no offload", i, t, "work moves in a variant without offload")
        }
        if !sleeps { requireEqual(v("u", i, t), 1, "always awake", i, t, "asleep in a variant without sleep") }
    }

    private func energy(_ i: Int, _ t: Int) {
        let harvest = instance.harvest[i * instance.slots + t]
        let used = harvest - v("w", i, t)
        let supply = v("g", i, t) + used + v("dis", i, t) + v("imp", i, t)
        let demand = load(i, t) + v("ch", i, t) + v("exp", i, t)
        requireEqual(supply, demand, "bus balance", i, t, "supply \(supply) Wh, demand \(demand) Wh")
        require(-used, harvest, "curtailment", i, t, "more is curtailed than harvested")
        let own = used + v("dis", i, t)
        require(v("exp", i, t) - own, own, "provenance", i, t, "more is exported than own harvest and battery give")
        if !instance.gridCharging {
            let excess = v("ch", i, t) + v("exp", i, t) - own - v("imp", i, t)
            require(excess, own, "grid serves load only", i, t, "grid energy charges or is exported")
            require(v("g", i, t) - load(i, t), load(i, t), "grid below load", i, t, "more grid energy than load")
        }
    }

    private func battery(_ i: Int, _ t: Int) {
        let battery = instance.servers[i].battery
        let before = t == 0 ? battery.initialWh : v("s", i, t - 1)
        let expected =
            (1 - battery.selfDischargePerSlot) * before + battery.etaCharge * v("ch", i, t)
            - (v("dis", i, t) == 0 ? 0 : v("dis", i, t) / battery.etaDischarge)
        if battery.capacityWh > 0 {
            requireEqual(v("s", i, t), expected, "battery dynamics", i, t, "\(v("s", i, t)) Wh, should be \(expected)")
        } else {
            require(v("ch", i, t) + v("dis", i, t) + v("s", i, t), 1, "battery dynamics", i, t, "there is no battery")
        }
        require(v("s", i, t) - battery.capacityWh, battery.capacityWh, "battery capacity", i, t, "overfull")
        let hours = instance.slotHours
        require(
            v("ch", i, t) - battery.maxChargeW * hours, battery.maxChargeW * hours, "charge power", i, t, "too fast")
        require(
            v("dis", i, t) - battery.maxDischargeW * hours, battery.maxDischargeW * hours, "discharge power", i, t,
            "too fast")
        if t == instance.slots - 1, instance.terminalRule == .atLeastInitial {
            require(
                battery.initialWh - v("s", i, t), battery.initialWh, "terminal charge", i, t, "ends below the start")
        }
    }

    private func work(_ i: Int, _ t: Int) {
        let server = instance.servers[i]
        let before = t == 0 ? 0 : v("q", i, t - 1)
        let arrivals = instance.arrivals[i * instance.slots + t]
        let expected = before + arrivals + v("in", i, t) - v("out", i, t) - v("x", i, t)
        let scale = before + arrivals + v("in", i, t)
        require(abs(v("q", i, t) - expected), scale, "queue", i, t, "\(v("q", i, t)) wait, should be \(expected)")
        require(v("q", i, t) - server.storageBatches, server.storageBatches, "storage", i, t, "too many batches wait")
        if t == instance.slots - 1 || instance.barriers.contains(t) {
            require(v("q", i, t), scale, "barrier", i, t, "\(v("q", i, t)) batches are left at a barrier")
        }
        let lost = sleeps ? server.wakeSlotFraction * v("z", i, t) : 0
        let capacity = server.capacityBatches * (v("u", i, t) - lost)
        require(v("x", i, t) - capacity, server.capacityBatches, "capacity", i, t, "more than \(capacity) batches")
    }

    private func sleep(_ i: Int, _ t: Int) {
        let u = v("u", i, t)
        require(min(abs(u), abs(1 - u)), 1, "binary", i, t, "u is \(u)")
        require(v("z", i, t) - 1, 1, "wake-up", i, t, "z is \(v("z", i, t))")
        guard sleeps else { return }
        let before = t == 0 ? (instance.servers[i].initiallyAwake ? 1 : 0) : v("u", i, t - 1)
        require(u - before - v("z", i, t), 1, "wake-up", i, t, "a wake-up is not paid for")
        if u < 0.5 {
            let scale = instance.servers[i].capacityBatches
            require(v("x", i, t), scale, "asleep", i, t, "work is done asleep")
            if instance.offload.requiresAwake {
                require(v("out", i, t) + v("in", i, t), scale, "asleep", i, t, "work moves asleep")
            }
        }
    }

    private func tidiness(_ i: Int, _ t: Int) {
        func both(_ a: String, _ b: String) -> Double { min(v(a, i, t), v(b, i, t)) }
        require(both("in", "out"), v("in", i, t), "one direction", i, t, "work is sent and received at once")
        require(both("exp", "imp"), v("exp", i, t), "one direction", i, t, "energy is sent and received at once")
        // With grid charging and trade an optimum may pass grid energy through the battery (rule 2 allows it).
        guard !(instance.gridCharging && trades) else { return }
        require(both("ch", "dis"), v("ch", i, t), "one direction", i, t, "charge and discharge at once")
    }

    private func caps(_ i: Int) {
        cap(i, "exp", instance.trade.capFraction, instance.trade.capBasis, instance.harvest)
        cap(i, "out", instance.offload.capFraction, instance.offload.capBasis, instance.arrivals)
    }

    private func cap(_ i: Int, _ name: String, _ fraction: Double, _ basis: CapBasis, _ base: [Double]) {
        var (sent, own) = (0.0, 0.0)
        for t in 0..<instance.slots {
            if basis == .slot { (sent, own) = (0, 0) }
            sent += v(name, i, t)
            own += base[i * instance.slots + t]
            if basis == .horizon, t < instance.slots - 1 { continue }
            require(sent - fraction * own, own, "cap", i, t, "\(name): \(sent) sent, \(fraction * own) allowed")
        }
    }

    private func sum(_ name: String, _ i: Int) -> Double { (0..<instance.slots).reduce(0) { $0 + v(name, i, $1) } }

    private func serverTotals(_ i: Int) {
        let own = instance.arrivals[(i * instance.slots)..<((i + 1) * instance.slots)].reduce(0, +)
        let (come, gone) = (own + sum("in", i), sum("out", i) + sum("x", i))
        requireEqual(come, gone, "work of a server", i, nil, "\(come) batches come, \(gone) go or are done")
    }

    private func pools(_ t: Int) {
        func total(_ name: String) -> Double { instance.servers.indices.reduce(0) { $0 + v(name, $1, t) } }
        let (out, received) = (total("out"), total("in"))
        requireEqual(out, received, "work pool", nil, t, "\(out) batches sent, \(received) received")
        let (delivered, imported) = (instance.trade.efficiency * total("exp"), total("imp"))
        requireEqual(delivered, imported, "energy pool", nil, t, "\(delivered) Wh delivered, \(imported) received")
    }

    private func fleetTotals() {
        let all = instance.servers.indices
        let arrived = instance.arrivals.reduce(0, +)
        let done = all.reduce(0) { $0 + sum("x", $1) }
        requireEqual(arrived, done, "work of the fleet", nil, nil, "\(arrived) batches arrive, \(done) are done")
        var (supply, use) = (0.0, 0.0)
        for i in all {
            let battery = instance.servers[i].battery
            supply += battery.initialWh
            for t in 0..<instance.slots {
                supply += v("g", i, t) + instance.harvest[i * instance.slots + t] - v("w", i, t)
                use += load(i, t) + (1 - instance.trade.efficiency) * v("exp", i, t)
                let before = t == 0 ? battery.initialWh : v("s", i, t - 1)
                use += battery.selfDischargePerSlot * before + (1 - battery.etaCharge) * v("ch", i, t)
                if v("dis", i, t) > 0 { use += (1 / battery.etaDischarge - 1) * v("dis", i, t) }
            }
            use += battery.capacityWh > 0 ? v("s", i, instance.slots - 1) : battery.initialWh
        }
        requireEqual(supply, use, "energy of the fleet", nil, nil, "\(supply) Wh in, \(use) Wh out")
    }
}
