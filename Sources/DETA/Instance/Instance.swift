/// What the caps on exported energy and offloaded work count against (deta.md section 5).
package enum CapBasis: String, Sendable, CaseIterable {
    /// Each slot for itself.
    case slot
    /// Running totals; causal, allows selling from the battery at night.
    case cumulative
    /// Totals over the whole horizon; not causal, an upper bound on the gain.
    case horizon
}

/// What the battery must hold at the end.
package enum TerminalRule: String, Sendable, CaseIterable {
    case atLeastInitial = "at_least_initial"
    case free
}

/// A battery at a server's bus. Energies Wh, powers W, efficiencies one way in (0, 1].
package struct Battery: Sendable, Equatable {
    package var capacityWh: Double
    package var initialWh: Double
    package var maxChargeW: Double
    package var maxDischargeW: Double
    package var etaCharge: Double
    package var etaDischarge: Double
    /// Share of the charge lost in each slot, 0...1.
    package var selfDischargePerSlot: Double

    package static let none = Battery(
        capacityWh: 0, initialWh: 0, maxChargeW: 0, maxDischargeW: 0, etaCharge: 1, etaDischarge: 1,
        selfDischargePerSlot: 0)

    package init(
        capacityWh: Double, initialWh: Double, maxChargeW: Double, maxDischargeW: Double, etaCharge: Double,
        etaDischarge: Double, selfDischargePerSlot: Double
    ) {
        self.capacityWh = capacityWh
        self.initialWh = initialWh
        self.maxChargeW = maxChargeW
        self.maxDischargeW = maxDischargeW
        self.etaCharge = etaCharge
        self.etaDischarge = etaDischarge
        self.selfDischargePerSlot = selfDischargePerSlot
    }
}

/// An edge server: one board with its power model, queue and battery.
package struct Server: Sendable, Equatable {
    package var id: String
    package var region: String?
    package var idleW: Double
    package var sleepW: Double
    /// Energy of one wake-up, Wh.
    package var wakeWh: Double
    /// Share of the waking slot that is lost, 0...1.
    package var wakeSlotFraction: Double
    package var initiallyAwake: Bool
    /// Dynamic energy of one batch above idle, Wh.
    package var batchWh: Double
    /// Most batches processed in a slot.
    package var capacityBatches: Double
    /// Most batches left in the queue at a slot's end.
    package var storageBatches: Double
    package var battery: Battery

    package init(
        id: String, region: String? = nil, idleW: Double, sleepW: Double, wakeWh: Double = 0,
        wakeSlotFraction: Double = 0, initiallyAwake: Bool = true, batchWh: Double, capacityBatches: Double,
        storageBatches: Double = 0, battery: Battery = .none
    ) {
        self.id = id
        self.region = region
        self.idleW = idleW
        self.sleepW = sleepW
        self.wakeWh = wakeWh
        self.wakeSlotFraction = wakeSlotFraction
        self.initiallyAwake = initiallyAwake
        self.batchWh = batchWh
        self.capacityBatches = capacityBatches
        self.storageBatches = storageBatches
        self.battery = battery
    }
}

/// Rules of energy trade.
package struct Trade: Sendable, Equatable {
    /// Share of the own harvest that may be exported, 0...1.
    package var capFraction: Double
    package var capBasis: CapBasis
    /// Delivered / sent, 0...1.
    package var efficiency: Double

    package init(capFraction: Double, capBasis: CapBasis = .slot, efficiency: Double) {
        self.capFraction = capFraction
        self.capBasis = capBasis
        self.efficiency = efficiency
    }
}

/// Rules of moving work.
package struct Offload: Sendable, Equatable {
    /// Share of the own arrivals that may be sent away, 0...1.
    package var capFraction: Double
    package var capBasis: CapBasis
    package var txWhPerBatch: Double
    package var rxWhPerBatch: Double
    package var netWhPerBatch: Double
    /// Intensity of the network's electricity, g/kWh, one figure for each slot.
    package var netCarbon: [Double]
    /// Work moves only from and to servers that are awake.
    package var requiresAwake: Bool

    package init(
        capFraction: Double, capBasis: CapBasis = .slot, txWhPerBatch: Double = 0, rxWhPerBatch: Double = 0,
        netWhPerBatch: Double = 0, netCarbon: [Double], requiresAwake: Bool = true
    ) {
        self.capFraction = capFraction
        self.capBasis = capBasis
        self.txWhPerBatch = txWhPerBatch
        self.rxWhPerBatch = rxWhPerBatch
        self.netWhPerBatch = netWhPerBatch
        self.netCarbon = netCarbon
        self.requiresAwake = requiresAwake
    }
}

/// Input of the optimiser (`deta-instance/1`): N servers over T slots. Series are flattened, server i, slot t at
/// `i * slots + t`; intensities g/kWh, harvest Wh a slot, arrivals batches a slot, all finite and not negative.
package struct Instance: Sendable, Equatable {
    package static let schema = "deta-instance/1"

    package var name: String
    package var seed: Int?
    package var note: String?
    package var slotHours: Double
    package var slots: Int
    package var servers: [Server]
    package var carbon: [Double]
    package var harvest: [Double]
    package var arrivals: [Double]
    package var trade: Trade
    package var offload: Offload
    /// Slots at whose end every queue is empty, ascending; the last slot always counts as one.
    package var barriers: [Int]
    package var terminalRule: TerminalRule
    package var gridCharging: Bool

    package init(
        name: String, seed: Int? = nil, note: String? = nil, slotHours: Double, slots: Int, servers: [Server],
        carbon: [Double], harvest: [Double], arrivals: [Double], trade: Trade, offload: Offload, barriers: [Int] = [],
        terminalRule: TerminalRule = .atLeastInitial, gridCharging: Bool = false
    ) {
        self.name = name
        self.seed = seed
        self.note = note
        self.slotHours = slotHours
        self.slots = slots
        self.servers = servers
        self.carbon = carbon
        self.harvest = harvest
        self.arrivals = arrivals
        self.trade = trade
        self.offload = offload
        self.barriers = barriers
        self.terminalRule = terminalRule
        self.gridCharging = gridCharging
    }

    @inlinable package func at(_ server: Int, _ slot: Int) -> Int { server * slots + slot }

    /// True for each slot at whose end the queues must be empty.
    package var isBarrier: [Bool] {
        var flags = [Bool](repeating: false, count: slots)
        for slot in barriers { flags[slot] = true }
        if slots > 0 { flags[slots - 1] = true }
        return flags
    }

    /// The slots between barriers, in order.
    package var rounds: [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        for (slot, barrier) in isBarrier.enumerated() where barrier {
            result.append(start..<(slot + 1))
            start = slot + 1
        }
        return result
    }

    /// The same rules for some of the servers, in the given order.
    package func subset(_ members: [Int], name: String? = nil) -> Instance {
        var part = self
        part.name = name ?? self.name
        part.servers = members.map { servers[$0] }
        func rows(_ table: [Double]) -> [Double] { members.flatMap { table[($0 * slots)..<(($0 + 1) * slots)] } }
        part.carbon = rows(carbon)
        part.harvest = rows(harvest)
        part.arrivals = rows(arrivals)
        return part
    }
}
