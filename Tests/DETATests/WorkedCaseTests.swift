import Testing

@testable import DETA

/// The worked cases of deta.md section 7, checked by hand there.
@Suite struct WorkedCaseTests {
    static func twoServers(harvest: Double = 0) -> Instance {
        let server = { (id: String) in
            Server(id: id, idleW: 2.7, sleepW: 2.7, batchWh: (5.1 - 2.7) / 100, capacityBatches: 100)
        }
        return Instance(
            name: "worked", slotHours: 1, slots: 2, servers: [server("clean"), server("dirty")],
            carbon: [24, 24, 700, 700], harvest: [harvest, harvest, 0, 0], arrivals: [0, 0, 50, 50],
            trade: Trade(capFraction: 0.5, efficiency: 0.8),
            offload: Offload(capFraction: 0.5, netCarbon: [0, 0]))
    }

    @Test func withoutExchange() throws {
        let optima = try optima(Self.twoServers(), [.none, .det, .greedy])
        #expect(abs(try #require(optima[.none]) - 5.5896) < 1e-6)
        #expect(abs(try #require(optima[.det]) - 5.5896) < 1e-6)
        #expect(abs(try #require(optima[.greedy]) - 5.5896) < 1e-6)
    }

    @Test func halfTheWorkMoves() throws {
        #expect(abs(try #require(try optima(Self.twoServers(), [.datNoSleep])[.datNoSleep]) - 4.7784) < 1e-6)
    }

    @Test func harvestIsSold() throws {
        #expect(abs(try #require(try optima(Self.twoServers(harvest: 6), [.det])[.det]) - 2.1) < 1e-6)
    }

    @Test func theMarketPriceIsTheBuyersIntensity() throws {
        let answer = try TestSolver.planner().solve(Self.twoServers(harvest: 6), .det)
        #expect(answer.energyPrices.count == 2)
        for price in answer.energyPrices { #expect(abs(price - 0.7) < 1e-6) }
    }
}
