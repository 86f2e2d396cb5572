extension Schedule {
    /// Removes what the optimum leaves open and the eye finds odd: numerical dust, a battery that charges and discharges
    /// at once, a server that sends and receives at once. The objective never rises; balances are made exact again.
    package mutating func clean(for instance: Instance, variant: Variant) {
        let dust = 1e-11
        for flow in Flow.allCases {
            for place in flows[flow.rawValue].indices where flows[flow.rawValue][place] < dust {
                flows[flow.rawValue][place] = 0
            }
        }
        clearSleep(of: instance, variant: variant)
        for i in 0..<servers {
            for t in 0..<slots {
                cancelWork(i, t, instance)
                cancelEnergy(i, t, instance)
                netBattery(i, t, instance)
            }
            restate(i, instance, variant)
        }
    }

    private mutating func clearSleep(of instance: Instance, variant: Variant) {
        for i in 0..<servers {
            var before = variant.sleeps ? (instance.servers[i].initiallyAwake ? 1.0 : 0) : 1
            for t in 0..<slots {
                let place = i * slots + t
                let awake = variant.sleeps ? self[.u][place].rounded() : 1
                self[.u][place] = awake
                self[.z][place] = max(0, awake - before)
                before = awake
            }
        }
    }

    /// Takes `energy` (Wh) off the grid draw first, then curtails more. Returns what could not be placed.
    private mutating func absorb(_ energy: Double, at place: Int, _ instance: Instance) -> Double {
        let grid = min(energy, self[.g][place])
        self[.g][place] -= grid
        let curtailed = min(energy - grid, max(0, instance.harvest[place] - self[.w][place]))
        self[.w][place] += curtailed
        return energy - grid - curtailed
    }

    /// Room for surplus energy at a bus.
    private func room(at place: Int, _ instance: Instance) -> Double {
        self[.g][place] + max(0, instance.harvest[place] - self[.w][place])
    }

    private mutating func cancelWork(_ i: Int, _ t: Int, _ instance: Instance) {
        let place = i * slots + t
        var both = min(self[.in_][place], self[.out][place])
        guard both > 0 else { return }
        let each = instance.offload.txWhPerBatch + instance.offload.rxWhPerBatch
        if each > 0 { both = min(both, room(at: place, instance) / each) }
        self[.in_][place] -= both
        self[.out][place] -= both
        _ = absorb(both * each, at: place, instance)
    }

    private mutating func cancelEnergy(_ i: Int, _ t: Int, _ instance: Instance) {
        let place = i * slots + t
        let eta = instance.trade.efficiency
        guard self[.exp][place] > 0, self[.imp][place] > 0, eta > 0 else { return }
        var sent = min(self[.exp][place], self[.imp][place] / eta)
        if eta < 1 { sent = min(sent, room(at: place, instance) / (1 - eta)) }
        self[.exp][place] -= sent
        self[.imp][place] = max(0, self[.imp][place] - eta * sent)
        _ = absorb((1 - eta) * sent, at: place, instance)
    }

    /// Nets charge against discharge with the same charge at the slot's end. With grid charging and trade an optimum may
    /// pass grid energy through the battery on purpose (rule 2 lets stored energy be sold); such flows stay.
    private mutating func netBattery(_ i: Int, _ t: Int, _ instance: Instance) {
        let place = i * slots + t
        let (charge, discharge) = (self[.ch][place], self[.dis][place])
        guard charge > 0, discharge > 0 else { return }
        let battery = instance.servers[i].battery
        let round = battery.etaCharge * battery.etaDischarge
        // Taking d off the discharge takes d / round off the charge.
        var less = min(discharge, charge * round)
        if instance.gridCharging {
            let source = instance.harvest[place] - self[.w][place] + discharge
            less = min(less, max(0, source - self[.exp][place]))
        }
        if round < 1 { less = min(less, room(at: place, instance) / (1 / round - 1)) }
        guard less > 0 else { return }
        self[.dis][place] = max(0, discharge - less)
        self[.ch][place] = max(0, charge - less / round)
        let left = absorb(less * (1 / round - 1), at: place, instance)
        assert(left < 1e-6)
        if self[.dis][place] < 1e-12 { self[.dis][place] = 0 }
        if self[.ch][place] < 1e-12 { self[.ch][place] = 0 }
    }

    /// Charge, queue and grid energy from the balances, so that no solver tolerance adds up along the slots.
    private mutating func restate(_ i: Int, _ instance: Instance, _ variant: Variant) {
        let server = instance.servers[i]
        let battery = server.battery
        var charge = battery.initialWh
        var queue = 0.0
        for t in 0..<slots {
            let place = i * slots + t
            if battery.capacityWh > 0 {
                charge = (1 - battery.selfDischargePerSlot) * charge + battery.etaCharge * self[.ch][place]
                charge -= self[.dis][place] / battery.etaDischarge
                if charge < 0, charge > -1e-7 { charge = 0 }
                if charge > battery.capacityWh, charge < battery.capacityWh + 1e-7 { charge = battery.capacityWh }
                self[.s][place] = charge
            }
            queue += instance.arrivals[place] + self[.in_][place] - self[.out][place] - self[.x][place]
            if abs(queue) < 1e-7 { queue = 0 }
            self[.q][place] = queue
            let used = load(i, t, instance) + self[.ch][place] + self[.exp][place]
            let supply = instance.harvest[place] - self[.w][place] + self[.dis][place] + self[.imp][place]
            if used >= supply {
                self[.g][place] = used - supply
            } else {
                self[.g][place] = 0
                self[.w][place] = min(instance.harvest[place], self[.w][place] + supply - used)
            }
        }
    }

    /// Load at a bus, Wh in the slot.
    func load(_ i: Int, _ t: Int, _ instance: Instance) -> Double {
        let place = i * slots + t
        let server = instance.servers[i]
        let awake = self[.u][place]
        return instance.slotHours * (server.idleW * awake + server.sleepW * (1 - awake))
            + server.batchWh * self[.x][place] + instance.offload.txWhPerBatch * self[.out][place]
            + instance.offload.rxWhPerBatch * self[.in_][place] + server.wakeWh * self[.z][place]
    }
}
