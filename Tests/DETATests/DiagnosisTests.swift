import Testing

@testable import DETA

@Suite struct DiagnosisTests {
    func expectInfeasible(_ instance: Instance, _ variant: Variant, server: Int, slot: Int, _ reason: String) throws {
        let answer = try TestSolver.planner().solve(instance, variant)
        #expect(answer.status == .infeasible)
        #expect(answer.objectiveG == nil)
        let found = try #require(answer.infeasibility)
        #expect(found.server == server)
        #expect(found.slot == slot)
        #expect(found.reason.contains(reason), "\(found.reason)")
    }

    static let twoBusy: Instance = {
        var instance = WorkedCaseTests.twoServers()
        instance.barriers = [0]
        return instance
    }()

    @Test(arguments: [Variant.none, .det]) func tooMuchWorkBeforeABarrier(_ variant: Variant) throws {
        var instance = Self.twoBusy
        instance.arrivals[2] = 130
        try expectInfeasible(instance, variant, server: 1, slot: 0, "30 batches cannot be processed before the barrier")
    }

    @Test func offloadWithinItsCapStillFallsShort() throws {
        var instance = Self.twoBusy
        instance.arrivals[2] = 250
        try expectInfeasible(instance, .dat, server: 1, slot: 0, "50 batches")
    }

    @Test func aFullStorage() throws {
        var instance = Self.twoBusy
        instance.barriers = []
        instance.servers[1].storageBatches = 10
        instance.arrivals[2] = 130
        try expectInfeasible(instance, .none, server: 1, slot: 0, "20 batches neither fit into the storage")
    }

    @Test func aBatteryThatNothingRefills() throws {
        var instance = Self.twoBusy
        instance.servers[0].battery = Battery(
            capacityWh: 10, initialWh: 5, maxChargeW: 5, maxDischargeW: 5, etaCharge: 0.9, etaDischarge: 0.9,
            selfDischargePerSlot: 0.1)
        for variant in [Variant.none, .deta] {
            try expectInfeasible(instance, variant, server: 0, slot: 1, "0.95 Wh below its initial charge")
        }
        instance.gridCharging = true
        #expect(try TestSolver.planner().solve(instance, .none).status == .optimal)
    }

    @Test func aSleeperThatCannotWakeInTime() throws {
        var instance = Self.twoBusy
        for i in 0..<2 {
            instance.servers[i].initiallyAwake = false
            instance.servers[i].wakeSlotFraction = 0.9
        }
        instance.arrivals = [0, 0, 90, 0]
        try expectInfeasible(instance, .dat, server: 1, slot: 0, "cannot be processed")
    }
}
