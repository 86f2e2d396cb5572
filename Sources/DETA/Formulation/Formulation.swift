/// The model of one variant of an instance in the pooled form: O(N·T) columns and rows (deta.md sections 3 to 6).
package struct Formulation: Sendable {
    package let instance: Instance
    package let variant: Variant
    package private(set) var model: LinearModel
    package let columns: Columns
    /// Rows of the two pools, by slot; empty where the variant has none. Their duals are the market prices.
    package private(set) var energyPoolRows: [Int] = []
    package private(set) var workPoolRows: [Int] = []

    /// Price of a batch left over at a barrier or beyond the storage (g per batch), nil for hard limits. Rolling-horizon use only.
    package let latePrice: Double?

    /// - Parameters:
    ///   - initialQueue: batches waiting at each server when the horizon begins; nil for none.
    ///   - pools: false leaves the pool rows out, for methods that price the pools instead of binding them.
    ///   - fleetRows: false leaves out the strengthening rows that hold for the fleet as a whole only.
    ///   - strengthen: adds rows that cut off fractional sleep patterns but no integer one.
    package init(
        _ instance: Instance, variant: Variant, latePrice: Double? = nil, initialQueue: [Double]? = nil,
        pools: Bool = true, strengthen: Bool = true, fleetRows: Bool = true
    ) {
        self.instance = instance
        self.variant = variant
        self.latePrice = latePrice
        var builder = FormulationBuilder(instance, variant: variant, latePrice: latePrice, initialQueue: initialQueue)
        builder.addColumns()
        builder.addServerRows()
        if variant.sleeps, strengthen { builder.addStrengthening(fleetRows: fleetRows) }
        if pools { (energyPoolRows, workPoolRows) = builder.addPools() }
        model = builder.model
        columns = builder.columns
    }

    /// Finite height for columns without an upper bound, from the physics of the server; for proven bounds.
    package func reach(_ column: Int) -> Double {
        let slots = instance.slots
        for flow in Flow.allCases where columns.has(flow) {
            let offset = column - columns(flow, 0, 0)
            guard offset >= 0, offset < instance.servers.count * slots else { continue }
            let server = instance.servers[offset / slots]
            let hours = instance.slotHours
            let work = instance.arrivals.reduce(0, +)
            let most =
                hours * max(server.idleW, server.sleepW) + server.batchWh * server.capacityBatches
                + (instance.offload.txWhPerBatch + instance.offload.rxWhPerBatch) * work + server.wakeWh
                + hours * server.battery.maxChargeW
            switch flow {
            case .g, .imp: return most + instance.harvest.reduce(0, +) + hours * server.battery.maxDischargeW
            case .in_, .out: return work
            default: return .infinity
            }
        }
        return .infinity
    }

    /// Fixes the sleep pattern (N·T entries 0 or 1), leaving a linear model.
    package func fixing(awake: [Bool]) -> LinearModel {
        guard columns.has(.u) else { return model }
        var fixed = model
        fixed.relax()
        for (place, flag) in awake.enumerated() {
            let column = columns(.u, 0, 0) + place
            fixed.setBounds(column: column, lower: flag ? 1 : 0, upper: flag ? 1 : 0)
        }
        return fixed
    }
}
