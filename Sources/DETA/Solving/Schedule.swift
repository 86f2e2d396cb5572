/// A plan: every flow of section 2, flattened like the instance's series. Flows a variant does not have are zero,
/// `u` without sleep is one.
package struct Schedule: Sendable, Equatable {
    package let servers: Int
    package let slots: Int
    /// By `Flow.rawValue`.
    package var flows: [[Double]]

    package init(servers: Int, slots: Int) {
        self.servers = servers
        self.slots = slots
        flows = [[Double]](repeating: [Double](repeating: 0, count: servers * slots), count: Flow.allCases.count)
    }

    package subscript(_ flow: Flow) -> [Double] {
        get { flows[flow.rawValue] }
        _modify { yield &flows[flow.rawValue] }
    }

    /// Takes the flows out of a solver's columns.
    package init(_ values: [Double], of formulation: Formulation) {
        let instance = formulation.instance
        self.init(servers: instance.servers.count, slots: instance.slots)
        let cells = servers * slots
        for flow in Flow.allCases {
            if formulation.columns.has(flow) {
                let base = formulation.columns(flow, 0, 0)
                flows[flow.rawValue] = Array(values[base..<(base + cells)])
            } else if flow == .u {
                flows[flow.rawValue] = [Double](repeating: 1, count: cells)
            }
        }
    }

    /// Carbon of the plan from grid energy and moved batches alone, g.
    package func objective(of instance: Instance) -> Double {
        var total = 0.0
        for place in 0..<(servers * slots) {
            total += instance.carbon[place] / 1000 * self[.g][place]
            total +=
                instance.offload.netCarbon[place % slots] / 1000 * instance.offload.netWhPerBatch * self[.out][place]
        }
        return total
    }

    /// Puts the rows of a part's plan into the rows `members` of this one.
    package mutating func insert(_ part: Schedule, at members: [Int]) {
        for flow in Flow.allCases {
            for (row, server) in members.enumerated() {
                for t in 0..<slots {
                    flows[flow.rawValue][server * slots + t] = part.flows[flow.rawValue][row * slots + t]
                }
            }
        }
    }
}
