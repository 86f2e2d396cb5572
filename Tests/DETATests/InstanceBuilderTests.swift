import Quantities
import Testing

@testable import DETA

@Suite struct InstanceBuilderTests {
    static func builder(uncertainty: Double) throws -> InstanceBuilder {
        let boards = try [("clean", 24.0), ("dirty", 700)].map { pair throws(DETAError) in
            try BoardModel(
                id: pair.0, region: pair.0, idle: Quantity(2.7, u: 0.02 * uncertainty),
                sleep: Quantity(0.2, u: 0.02 * uncertainty), batch: Quantity(0.024, u: 0.0005 * uncertainty),
                wake: Quantity(0.05, u: 0.005 * uncertainty), wakeSlotFraction: Quantity(0.02, u: 0),
                capacityBatches: Quantity(100, u: 0.5 * uncertainty), storageBatches: 100)
        }
        var builder = InstanceBuilder(
            name: "two", slotHours: 1, slots: 4, boards: boards,
            carbon: [[24, 24, 24, 24], [700, 700, 700, 700]], harvest: [[0, 2, 2, 0], [0, 1, 1, 0]],
            arrivals: [[20, 20, 20, 20], [50, 50, 50, 50]])
        builder.carbonRelativeUncertainty = 0.08 * uncertainty
        return builder
    }

    @Test func withoutUncertaintyTheIntervalIsAPoint() throws {
        let result = try Self.builder(uncertainty: 0).plan(
            [.none, .det, .deta], planner: TestSolver.planner(), samples: 3)
        for variant in [Variant.det, .deta] {
            let interval = try #require(result.reductions[variant])
            #expect(abs(interval.high - interval.low) < 1e-9)
            #expect(abs(interval.central - interval.mean) < 1e-9)
        }
    }

    @Test func sharedDrawsMakeTheReductionSharperThanTheCarbon() throws {
        let result = try Self.builder(uncertainty: 1).plan(
            [.none, .dat, .deta], planner: TestSolver.planner(), samples: 60, seed: 5)
        #expect(result.samples == 60)
        #expect(result.infeasible == 0)
        let carbon = try #require(result.carbon[.deta])
        let reduction = try #require(result.reductions[.deta])
        // The common 8 % of the intensities is in the grams and cancels in the reduction.
        #expect(carbon.standardUncertainty / carbon.central > 0.05)
        #expect(reduction.standardUncertainty < 0.02)
        #expect(reduction.low < reduction.central && reduction.central < reduction.high)
    }

    @Test func theSameSeedGivesTheSameInterval() throws {
        let run = { try Self.builder(uncertainty: 1).plan([.det], planner: TestSolver.planner(), samples: 5, seed: 9) }
        let (first, second) = (try run(), try run())
        #expect(first.carbon == second.carbon)
    }

    @Test func drawsFollowTheCovariance() throws {
        var covariance = [Double](repeating: 0, count: 36)
        covariance[0] = 0.04
        covariance[2 * 7] = 0.0001
        covariance[2] = -0.0018
        covariance[12] = -0.0018
        let board = try BoardModel(
            id: "b", region: "r", values: [2.7, 0.2, 0.5, 0.05, 0.02, 100], covariance: covariance, storageBatches: 0)
        var random = SplitMix64(seed: 2)
        var redrawn = 0
        let draws = (0..<4000).map { _ in board.draw(using: &random, redrawn: &redrawn) }
        let product = draws.reduce(0) { $0 + ($1[0] - 2.7) * ($1[2] - 0.5) } / 4000
        #expect(abs(product + 0.0018) < 0.0002)
        #expect(draws.allSatisfy { $0[5] == 100 })
    }

    @Test func whatIsNotKnownIsRefused() throws {
        #expect(throws: DETAError.self) {
            try BoardModel(
                id: "b", region: "r", idle: .notEvaluated(2.7), sleep: Quantity(0.2, u: 0),
                batch: Quantity(0.02, u: 0), wake: Quantity(0, u: 0), wakeSlotFraction: Quantity(0, u: 0),
                capacityBatches: Quantity(1, u: 0), storageBatches: 0)
        }
        var crooked = [Double](repeating: 0, count: 36)
        crooked[1] = 1
        #expect(throws: DETAError.self) {
            try BoardModel(id: "b", region: "r", values: [1, 1, 1, 1, 1, 1], covariance: crooked, storageBatches: 0)
        }
        var builder = try Self.builder(uncertainty: 1)
        builder.harvest[1].removeLast()
        #expect(throws: DETAError.invalid(path: "harvest[1]", reason: "needs 4 values, found 3")) {
            try builder.instance()
        }
    }
}
