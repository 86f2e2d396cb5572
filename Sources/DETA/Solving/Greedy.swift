/// The plan of a fleet without an optimiser: every batch is processed on arrival, own harvest first, the battery takes
/// surplus only and gives it back as soon as the harvest falls short. Always awake, no exchange.
package enum Greedy {
    /// - Returns: the schedule; or where it breaks a rule (a queue at a barrier, an overfull storage, a battery that
    ///   ends below its initial charge).
    package static func schedule(for instance: Instance) -> (schedule: Schedule, broken: Infeasibility?) {
        var plan = Schedule(servers: instance.servers.count, slots: instance.slots)
        var broken: Infeasibility?
        let barrier = instance.isBarrier
        for (i, server) in instance.servers.enumerated() {
            func blame(_ slot: Int, _ reason: String) {
                if broken == nil { broken = Infeasibility(server: i, serverID: server.id, slot: slot, reason: reason) }
            }
            var queue = 0.0
            var charge = server.battery.initialWh
            for t in 0..<instance.slots {
                let place = instance.at(i, t)
                let waiting = queue + instance.arrivals[place]
                let done = min(server.capacityBatches, waiting)
                queue = waiting - done
                plan[.u][place] = 1
                plan[.x][place] = done
                plan[.q][place] = queue
                let most = barrier[t] ? 0 : server.storageBatches
                if queue > most + 1e-9 {
                    blame(
                        t, "processing on arrival leaves \(shortest(queue)) batches, at most \(shortest(most)) may wait"
                    )
                }
                charge = step(&plan, i, t, instance, charge)
            }
            if instance.terminalRule == .atLeastInitial, charge < server.battery.initialWh - 1e-9 {
                blame(instance.slots - 1, "the battery ends below its initial charge")
            }
        }
        return (plan, broken)
    }

    /// Energy of one slot; returns the charge at its end. Keeps the charge that the terminal rule asks for.
    private static func step(_ plan: inout Schedule, _ i: Int, _ t: Int, _ instance: Instance, _ before: Double)
        -> Double
    {
        let place = instance.at(i, t)
        let server = instance.servers[i]
        let battery = server.battery
        let harvest = instance.harvest[place]
        let load = plan.load(i, t, instance)
        let kept = (1 - battery.selfDischargePerSlot) * before
        var charge = kept
        let surplus = harvest - load
        if battery.capacityWh <= 0 {
            plan[.w][place] = max(0, surplus)
            plan[.g][place] = max(0, -surplus)
            return 0
        }
        if surplus >= 0 {
            let room = max(0, battery.capacityWh - kept) / battery.etaCharge
            let taken = min(surplus, battery.maxChargeW * instance.slotHours, room)
            plan[.ch][place] = taken
            plan[.w][place] = surplus - taken
            charge += battery.etaCharge * taken
        } else {
            let floor = instance.terminalRule == .atLeastInitial ? battery.initialWh : 0
            let stored = max(0, kept - floor) * battery.etaDischarge
            let given = min(-surplus, battery.maxDischargeW * instance.slotHours, stored)
            plan[.dis][place] = given
            plan[.g][place] = -surplus - given
            charge -= given / battery.etaDischarge
        }
        plan[.s][place] = charge
        return charge
    }
}
