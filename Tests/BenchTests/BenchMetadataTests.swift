import Campaign
import Testing

@testable import Bench

@Suite struct BenchMetadataTests {
    @Test func theBenchComesBackFromTheRunFileWithItsUnits() throws {
        var bench = try BoardFleetTests.bench(boards: 2)
        bench.boards[0].cableOhms = 0.09
        bench.boards[0].carbonGramsPerKilowattHour = 24.3
        let json = try bench.metadataJSON()
        #expect(json.contains("\"cable_ohm\":0.09") && json.contains("\"carbon_g_per_kwh\":24.3"))
        #expect(json.contains("\"current_sign\":1"))
        #expect(try BenchMetadata(json: json) == BenchMetadata(bench))
    }
}
