import Foundation
import Testing

@testable import Metrology

@Suite struct ChangePointsTests {
    private struct Truth: Decodable { var change_indices: [Int] }

    @Test func theReferenceSeriesGivesExactlyItsChanges() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/change-dev")
        let series = folder.appending(path: "series.csv")
        let table = try DelimitedTable(file: "series.csv", bytes: Array(Data(contentsOf: series)))
        let truth = try JSONDecoder().decode(
            Truth.self, from: Data(contentsOf: folder.appending(path: "truth.json")))
        let found = try ChangePoints.find(try table.numbers("power_w"))
        #expect(found.indices.count == truth.change_indices.count)
        for (a, b) in zip(found.indices, truth.change_indices) { #expect(abs(a - b) <= 2) }
        #expect(abs(found.autocorrelation - 0.5) < 0.1)
    }

    @Test(arguments: [0.0, 0.3, 0.5, 0.7, 0.85]) func correlatedNoiseAndSpikesAddNoChanges(rho: Double) throws {
        for seed in UInt64(1)...4 {
            var random = SplitMix64(seed: seed)
            var truth: [Int] = []
            var values: [Double] = []
            var level = 3.0
            var noise = 0.0
            for index in 0..<6000 {
                if index % 400 == 399, index < 5900 {
                    truth.append(index)
                    level += (random.uniform() < 0.5 ? -1 : 1) * (0.3 + random.uniform())
                }
                noise = rho * noise + (1 - rho * rho).squareRoot() * 0.02 * random.normal()
                values.append(level + noise + (random.uniform() < 0.01 ? 1 : 0))
            }
            let found = try ChangePoints.find(values)
            #expect(found.indices.count == truth.count, "seed \(seed)")
            for (a, b) in zip(found.indices, truth) { #expect(abs(a - b) <= 2) }
            #expect(abs(found.spikes.count - 60) < 45)
        }
    }

    @Test func constantAndShortAndBrokenSeriesAreAnswered() throws {
        #expect(try ChangePoints.find(Array(repeating: 2.5, count: 500)).indices == [])
        let step = Array(repeating: 1.0, count: 100) + Array(repeating: 2.0, count: 100)
        #expect(try ChangePoints.find(step).indices == [100])
        #expect(throws: MetrologyError.tooFewObservations(what: "change points", found: 3, needed: 40)) {
            try ChangePoints.find([1, 2, 3])
        }
        #expect(throws: MetrologyError.self) { try ChangePoints.find(Array(repeating: .nan, count: 100)) }
    }

    @Test func theHampelFilterTakesSpikesAndLeavesSteps() {
        var values = (0..<100).map { $0 < 50 ? 1.0 : 4.0 }
        values[20] = 9
        let (clean, replaced) = HampelFilter().filter(values, scaleFloor: 0.01)
        #expect(replaced == [20])
        #expect(clean[20] == 1 && clean[49] == 1 && clean[50] == 4)
    }
}
