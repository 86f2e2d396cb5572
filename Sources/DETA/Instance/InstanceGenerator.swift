import Foundation

/// Makes instances from a seed: for benchmarks, demonstrations and tests of rules that must hold on any instance.
package struct InstanceGenerator: Sendable {
    package var servers = 10
    package var slots = 24
    package var slotHours = 1.0
    /// Slots between barriers; 0 for the end of the horizon only.
    package var roundSlots = 12
    /// Mean arrivals as a share of capacity.
    package var busyShare = 0.4
    /// Harvest over the horizon as a share of the fleet's always-awake load.
    package var harvestRatio = 0.3
    /// Battery capacity, Wh; 0 for none.
    package var batteryWh = 10.0
    package var basis = CapBasis.slot
    package var capFraction = 0.5
    package var efficiency = 0.9
    package var transport = 0.0005
    package var gridCharging = false
    package var requiresAwake = true
    package var initiallyAwake = true

    package init() {}

    /// An instance that always has a schedule: no batch needs more than the capacity up to its barrier.
    package func instance(seed: UInt64) -> Instance {
        var random = SplitMix64(seed: seed)
        var carbon: [Double] = []
        var harvest: [Double] = []
        var arrivals: [Double] = []
        var fleet: [Server] = []
        for i in 0..<servers {
            let idle = random.uniform(2.2...3.0)
            let capacity = random.uniform(80...120).rounded()
            let batchWh = random.uniform(2.0...2.8) * slotHours / capacity
            let stored = capacity * random.uniform(2...5).rounded()
            fleet.append(
                Server(
                    id: "s\(i)", region: "r\(i)", idleW: idle, sleepW: random.uniform(0.05...0.3),
                    wakeWh: random.uniform(0.02...0.06), wakeSlotFraction: random.uniform(0.01...0.03) / slotHours,
                    initiallyAwake: initiallyAwake, batchWh: batchWh, capacityBatches: capacity,
                    storageBatches: stored, battery: battery(&random)))
            let mean = random.uniform(30...600)
            let swing = random.uniform(0...0.3)
            let phase = random.uniform(0...24)
            let busy = busyShare * random.uniform(0.5...1.5)
            let peak = harvestRatio * (idle + 2.4 * busyShare) * .pi * random.uniform(0.7...1.3)
            for t in 0..<slots {
                let hour = (Double(t) + 0.5) * slotHours
                carbon.append((mean * (1 + swing * cos((hour - phase) / 24 * 2 * .pi))).rounded())
                let sun = max(0, cos((hour.truncatingRemainder(dividingBy: 24) - 12) / 24 * 2 * .pi))
                harvest.append(peak * slotHours * sun * random.uniform(0.5...1))
                arrivals.append(min(capacity * 0.9, capacity * busy * random.uniform(0...2)).rounded())
            }
        }
        var barriers: [Int] = []
        if roundSlots > 0 {
            barriers = Array(stride(from: roundSlots - 1, to: slots, by: roundSlots))
            // Said explicitly, a short last round is no mistake.
            if barriers.last != slots - 1 { barriers.append(slots - 1) }
        }
        return Instance(
            name: "generated-\(servers)x\(slots)-\(seed)", seed: Int(truncatingIfNeeded: seed & 0xFFFF_FFFF),
            slotHours: slotHours, slots: slots, servers: fleet, carbon: carbon, harvest: harvest, arrivals: arrivals,
            trade: Trade(capFraction: capFraction, capBasis: basis, efficiency: efficiency),
            offload: Offload(
                capFraction: capFraction, capBasis: basis, txWhPerBatch: transport, rxWhPerBatch: transport,
                netWhPerBatch: transport, netCarbon: [Double](repeating: 300, count: slots),
                requiresAwake: requiresAwake),
            barriers: barriers, terminalRule: .atLeastInitial, gridCharging: gridCharging)
    }

    private func battery(_ random: inout SplitMix64) -> Battery {
        guard batteryWh > 0 else { return .none }
        let capacity = batteryWh * random.uniform(0.5...1.5)
        // No self-discharge against the terminal rule: a server without sun could not keep its charge.
        return Battery(
            capacityWh: capacity, initialWh: 0, maxChargeW: capacity / 2, maxDischargeW: capacity / 2,
            etaCharge: 0.95, etaDischarge: 0.95, selfDischargePerSlot: random.uniform(0...0.002))
    }
}
