/// A proven lower bound for fleets too large for one model: with prices instead of pools every server stands alone, and
/// the sum of their optima, each proven, is below every plan of the fleet (weak duality). Good prices come from the
/// linear relaxation, or from the duals of a plan.
struct LagrangianBound: Sendable {
    let planner: Planner
    let instance: Instance
    let variant: Variant

    /// Server-slots up to which the linear relaxation of the whole is solved for prices.
    static let relaxationCells = 12_000

    func prove(
        _ formulation: Formulation, prices: (energy: [Double], work: [Double]), control: SolveControl?
    ) throws(DETAError) -> Double {
        var best = -Double.infinity
        var energy = prices.energy
        var work = prices.work
        if instance.servers.count * instance.slots <= Self.relaxationCells {
            var relaxed = formulation.model
            relaxed.relax()
            let result = try planner.solveModel(relaxed, control: control, stopwatch: Stopwatch())
            if let duals = result.rowDuals {
                best = relaxed.dualBound(rowDuals: duals, reach: formulation.reach)
                energy = formulation.energyPoolRows.map { -duals[$0] }
                work = formulation.workPoolRows.map { duals[$0] }
            }
        }
        guard control?.isStopped != true else { return max(0, best) }
        let bound = try priced(energy: energy, work: work, control: control)
        return max(0, best, bound)
    }

    /// The bound for given prices: g per Wh delivered, g per batch moved, by slot.
    func priced(energy: [Double], work: [Double], control: SolveControl?) throws(DETAError) -> Double {
        let bounds = try concurrently(instance.servers.count, threads: planner.options.threads) {
            (i) throws(DETAError) -> Double in
            if control?.isStopped == true { return -.infinity }
            let formulation = Formulation(instance.subset([i]), variant: variant, pools: false, fleetRows: false)
            var model = formulation.model
            formulation.price(&model, energy: energy, work: work)
            var options = planner.options.solverOptions(timeLeft: 20)
            options.threads = 1
            options.relativeGap = 1e-4
            let result = try planner.solver.solve(model, options: options, control: nil)
            return result.bound
        }
        return bounds.reduce(0, +)
    }
}

extension Formulation {
    /// Puts prices on the exchange of each server. Prices of energy below zero would buy without end and are raised to 0;
    /// any prices give a valid bound.
    func price(_ model: inout LinearModel, energy: [Double], work: [Double]) {
        let slots = instance.slots
        for i in instance.servers.indices {
            for t in 0..<slots {
                if columns.has(.imp), t < energy.count {
                    let price = max(0, energy[t])
                    model.setCost(column: columns(.imp, i, t), price)
                    model.setCost(column: columns(.exp, i, t), -instance.trade.efficiency * price)
                }
                if columns.has(.in_), t < work.count {
                    let out = columns(.out, i, t)
                    model.setCost(column: out, model.cost[out] - work[t])
                    model.setCost(column: columns(.in_, i, t), work[t])
                    // Work received and not sent on is processed or stored in the slot: more is never worth while.
                    let server = instance.servers[i]
                    model.setBounds(
                        column: columns(.in_, i, t), lower: 0, upper: server.capacityBatches + server.storageBatches)
                }
            }
        }
    }
}
