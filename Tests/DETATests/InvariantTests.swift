import Testing

@testable import DETA

/// deta.md section 7 over generated instances.
@Suite struct InvariantTests {
    static let seeds: [UInt64] = [1, 2]
    static let linear: [Variant] = [.none, .det, .datNoSleep, .detaNoSleep]

    static func generator(_ basis: CapBasis = .slot) -> InstanceGenerator {
        var generator = InstanceGenerator()
        generator.servers = 3
        generator.slots = 8
        generator.roundSlots = 4
        generator.basis = basis
        return generator
    }

    @Test(arguments: seeds, CapBasis.allCases) func variantsNest(_ seed: UInt64, _ basis: CapBasis) throws {
        let instance = Self.generator(basis).instance(seed: seed)
        let o = try optima(instance, [.none, .det, .dat, .deta, .datNoSleep, .detaNoSleep, .greedy, .sleepOnly])
        notAbove(o[.deta], o[.det])
        notAbove(o[.deta], o[.dat])
        notAbove(o[.det], o[.none])
        notAbove(o[.dat], o[.none])
        notAbove(o[.detaNoSleep], o[.det])
        notAbove(o[.deta], o[.detaNoSleep])
        notAbove(o[.dat], o[.sleepOnly])
        notAbove(o[.none], o[.greedy])
        #expect(o.values.allSatisfy { $0 >= 0 })
    }

    @Test(arguments: seeds) func widerCapBasesNeverCost(_ seed: UInt64) throws {
        let byBasis = try CapBasis.allCases.map {
            try optima(Self.generator($0).instance(seed: seed), [.detaNoSleep, .deta])
        }
        for (tighter, wider) in zip(byBasis, byBasis.dropFirst()) {
            notAbove(wider[.detaNoSleep], tighter[.detaNoSleep])
            notAbove(wider[.deta], tighter[.deta])
        }
    }

    static let relaxations: [@Sendable (inout Instance) -> Void] = [
        { $0.trade.capFraction = 0.8 },
        { $0.offload.capFraction = 0.8 },
        { $0.trade.efficiency = 1 },
        { instance in for i in instance.servers.indices { instance.servers[i].battery.capacityWh *= 1.5 } },
        { instance in for i in instance.servers.indices { instance.servers[i].storageBatches *= 1.5 } },
        { instance in for i in instance.servers.indices { instance.servers[i].capacityBatches *= 1.2 } },
        { $0.gridCharging = true },
        { $0.offload.requiresAwake = false },
        { $0.terminalRule = .free },
        { $0.barriers = [] },
        { $0.carbon = $0.carbon.map { $0 * 0.9 } },
    ]

    @Test(arguments: relaxations.indices) func moreFreedomNeverCosts(_ index: Int) throws {
        let instance = Self.generator(.cumulative).instance(seed: 11 + UInt64(index))
        var freer = instance
        Self.relaxations[index](&freer)
        let before = try optima(instance, Self.linear + [.deta])
        let after = try optima(freer, Self.linear + [.deta])
        for variant in before.keys { notAbove(after[variant], before[variant], "\(variant)") }
    }

    @Test(arguments: seeds) func nothingToTradeOrMoveGainsNothing(_ seed: UInt64) throws {
        var instance = Self.generator().instance(seed: seed)
        instance.trade.capFraction = 0
        var o = try optima(instance, [.none, .det, .dat, .deta])
        #expect(close(o[.det], o[.none]))
        #expect(close(o[.deta], o[.dat]))
        instance = Self.generator().instance(seed: seed)
        instance.offload.capFraction = 0
        o = try optima(instance, [.none, .datNoSleep])
        #expect(close(o[.datNoSleep], o[.none]))
        for place in instance.harvest.indices { instance.harvest[place] = 0 }
        o = try optima(instance, [.none, .det])
        #expect(close(o[.det], o[.none]))
    }

    @Test func sleepAsDearAsIdleGainsNothing() throws {
        var instance = Self.generator().instance(seed: 5)
        for i in instance.servers.indices {
            instance.servers[i].sleepW = instance.servers[i].idleW
            instance.servers[i].wakeWh = 0
        }
        let o = try optima(instance, [.dat, .datNoSleep, .deta, .detaNoSleep])
        #expect(close(o[.dat], o[.datNoSleep]))
        #expect(close(o[.deta], o[.detaNoSleep]))
    }

    @Test func equalIntensitiesLeaveNothingToExchange() throws {
        var generator = Self.generator()
        generator.harvestRatio = 0.05
        generator.batteryWh = 0
        var instance = generator.instance(seed: 6)
        for place in instance.carbon.indices { instance.carbon[place] = 300 }
        // Equal dynamic energies, or moving work to the thriftier server would gain.
        for i in instance.servers.indices {
            instance.servers[i].batchWh = 0.025
            instance.servers[i].capacityBatches = 100
        }
        for place in instance.arrivals.indices { instance.arrivals[place] = min(instance.arrivals[place], 60) }
        let o = try optima(instance, Self.linear)
        #expect(close(o[.detaNoSleep], o[.none]))
    }

    @Test(arguments: seeds) func scalingAndOrderChangeNothingElse(_ seed: UInt64) throws {
        let instance = Self.generator().instance(seed: seed)
        let base = try optima(instance, Self.linear + [.deta])
        var scaled = instance
        scaled.carbon = instance.carbon.map { $0 * 3 }
        scaled.offload.netCarbon = instance.offload.netCarbon.map { $0 * 3 }
        let tripled = try optima(scaled, Self.linear + [.deta])
        let turned = try optima(instance.subset([2, 0, 1]), Self.linear + [.deta])
        for variant in base.keys {
            #expect(close(tripled[variant], base[variant].map { $0 * 3 }), "\(variant)")
            #expect(close(turned[variant], base[variant]), "\(variant)")
        }
    }

    @Test(arguments: [UInt64(21), 22]) func edgeShapesAreSolved(_ seed: UInt64) throws {
        for change: (inout InstanceGenerator) -> Void in [
            { $0.servers = 1 }, { $0.slots = 1 }, { $0.batteryWh = 0 }, { $0.busyShare = 0 }, { $0.roundSlots = 0 },
            { $0.roundSlots = 5 }, { $0.initiallyAwake = false }, { $0.gridCharging = true }, { $0.slotHours = 0.25 },
            { $0.requiresAwake = false }, { $0.harvestRatio = 0 }, { $0.harvestRatio = 3 },
        ] {
            var generator = Self.generator()
            change(&generator)
            var instance = generator.instance(seed: seed)
            _ = try optima(instance, [.none, .det, .dat, .deta, .datNoSleep, .detaNoSleep], gap: 1e-4)
            for i in instance.servers.indices { instance.servers[i].storageBatches = 0 }
            instance.carbon[0] = 0
            _ = try optima(instance, [.det, .deta], gap: 1e-4)
        }
    }
}
