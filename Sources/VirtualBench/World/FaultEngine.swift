/// Faults of a script, one instance for each target, with what has been seen of their triggers.
struct FaultEngine: Sendable {
    struct Instance: Sendable {
        var fault: Fault
        var target: Int
        var dueAt: Int64?
        var seen = 0
        var remaining: Int
        /// A reply fault that waits for its next reply.
        var isArmed = false
    }

    private(set) var instances: [Instance] = []

    init(faults: [Fault], origin: Int64, meters: [String], boards: [String], nodes: [String]) {
        for fault in faults {
            let names =
                switch fault.kind.target {
                case .meter: meters
                case .board: boards
                case .node: nodes
                }
            for (index, name) in names.enumerated() where fault.target == nil || fault.target == name {
                // Neither time nor event given: from the beginning.
                let due = fault.on == nil ? origin + nanoseconds(fault.atSeconds ?? 0) : nil
                instances.append(Instance(fault: fault, target: index, dueAt: due, remaining: fault.count))
            }
        }
    }

    var nextEvent: Int64? { instances.compactMap(\.dueAt).min() }

    /// Faults due by time. Reply faults are armed, the others returned to be carried out.
    mutating func due(at now: Int64) -> [(fault: Fault, target: Int)] {
        var out: [(Fault, Int)] = []
        for i in instances.indices {
            guard let due = instances[i].dueAt, due <= now else { continue }
            instances[i].dueAt = nil
            if instances[i].fault.kind.actsOnReply {
                instances[i].isArmed = true
            } else {
                out.append((instances[i].fault, instances[i].target))
            }
        }
        return out
    }

    /// Counts an event of a meter. Returns the faults that act at once because of it.
    mutating func notice(_ trigger: FaultTrigger, meter: Int) -> [(fault: Fault, target: Int)] {
        var out: [(Fault, Int)] = []
        for i in instances.indices where instances[i].fault.on == trigger && instances[i].target == meter {
            guard instances[i].fault.kind.target == .meter else { continue }
            instances[i].seen += 1
            guard instances[i].seen >= instances[i].fault.nth, instances[i].remaining > 0 else { continue }
            if instances[i].fault.kind.actsOnReply {
                instances[i].isArmed = true
            } else {
                instances[i].remaining -= 1
                out.append((instances[i].fault, meter))
            }
        }
        return out
    }

    /// A reply fault that waits from now on.
    mutating func arm(_ fault: Fault, target: Int) {
        instances.append(Instance(fault: fault, target: target, dueAt: nil, remaining: fault.count, isArmed: true))
    }

    /// The armed fault for a reply of a meter, used up by being taken.
    mutating func take(forReplyOf meter: Int, carriesSamples: Bool) -> Fault? {
        for i in instances.indices where instances[i].isArmed && instances[i].target == meter {
            guard carriesSamples || !instances[i].fault.kind.needsSamples else { continue }
            instances[i].remaining -= 1
            if instances[i].remaining <= 0 { instances[i].isArmed = false }
            return instances[i].fault
        }
        return nil
    }
}
