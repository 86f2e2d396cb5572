/// Finds where an instance contradicts itself: the same model with soft limits, bent as little as possible.
struct Diagnosis {
    let solver: any Solver

    /// - Returns: the first server and slot at which a limit must be broken; nil if nothing is wrong.
    func explain(_ instance: Instance, _ variant: Variant) throws(DETAError) -> Infeasibility? {
        if let work = try lateWork(instance, variant) { return work }
        return try emptyBattery(instance, variant)
    }

    /// All awake: whoever is awake can do all that a sleeper can.
    private func model(_ instance: Instance, _ variant: Variant, latePrice: Double) -> (Formulation, LinearModel) {
        let formulation = Formulation(instance, variant: variant, latePrice: latePrice, strengthen: false)
        let awake = [Bool](repeating: true, count: instance.servers.count * instance.slots)
        return (formulation, formulation.fixing(awake: awake))
    }

    /// Batches that cannot be processed in time.
    private func lateWork(_ instance: Instance, _ variant: Variant) throws(DETAError) -> Infeasibility? {
        var relaxed = instance
        relaxed.terminalRule = .free
        // Every late batch must cost more than any carbon it could save.
        let dearest = (instance.carbon + instance.offload.netCarbon).max() ?? 0
        let price = 1 + dearest
        var (formulation, model) = model(relaxed, variant, latePrice: price)
        if formulation.columns.has(.in_) {
            // Work that is late anyway stays where it arrived: that is the server to name.
            for cell in 0..<(instance.servers.count * instance.slots) {
                model.setCost(column: formulation.columns(.in_, 0, 0) + cell, price * 1e-3)
            }
        }
        let result = try solver.solve(model, options: SolverOptions(), control: nil)
        guard let values = result.values else { return nil }
        let plan = Schedule(values, of: formulation)
        let barrier = instance.isBarrier
        for t in 0..<instance.slots {
            let over = instance.servers.indices.map { i in
                plan[.q][instance.at(i, t)] - (barrier[t] ? 0 : instance.servers[i].storageBatches)
            }
            guard let worst = over.indices.max(by: { over[$0] < over[$1] }), over[worst] > 1e-6 else { continue }
            let server = instance.servers[worst]
            let amount = rounded(over[worst])
            let capacity = shortest(server.capacityBatches)
            let reason =
                barrier[t]
                ? "\(amount) batches cannot be processed before the barrier (capacity \(capacity) a slot)"
                : "\(amount) batches neither fit into the storage (\(shortest(server.storageBatches))) nor into the "
                    + "capacity (\(capacity) a slot)"
            return Infeasibility(server: worst, serverID: server.id, slot: t, reason: reason)
        }
        return nil
    }

    /// A battery that cannot be brought back to its initial charge.
    private func emptyBattery(_ instance: Instance, _ variant: Variant) throws(DETAError) -> Infeasibility? {
        guard instance.terminalRule == .atLeastInitial else { return nil }
        var relaxed = instance
        relaxed.terminalRule = .free
        var (formulation, model) = model(relaxed, variant, latePrice: 0)
        guard formulation.columns.has(.s) else { return nil }
        let last = instance.slots - 1
        for column in 0..<model.columns { model.setCost(column: column, 0) }
        for (i, server) in instance.servers.enumerated() where server.battery.capacityWh > 0 {
            let column = formulation.columns(.s, i, last)
            model.setCost(column: column, -1)
            model.setBounds(column: column, lower: 0, upper: server.battery.initialWh)
        }
        let result = try solver.solve(model, options: SolverOptions(), control: nil)
        guard let values = result.values else { return nil }
        let plan = Schedule(values, of: formulation)
        let missing = instance.servers.indices.map { i in
            instance.servers[i].battery.capacityWh > 0
                ? instance.servers[i].battery.initialWh - plan[.s][instance.at(i, last)] : 0
        }
        guard let worst = missing.indices.max(by: { missing[$0] < missing[$1] }), missing[worst] > 1e-9 else {
            return nil
        }
        return Infeasibility(
            server: worst, serverID: instance.servers[worst].id, slot: last,
            reason: "the battery ends \(rounded(missing[worst])) Wh below its initial charge: nothing can refill it")
    }

    private func rounded(_ value: Double) -> String { shortest((value * 1e6).rounded() / 1e6) }
}
