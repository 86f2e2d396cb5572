import Foundation
import Metrology
import Testing

@testable import Calibration

@Suite struct ClockAndChangesTests {
    private struct Truth: Decodable { var mean_tick_error_ppm: Double }

    private func fixture(_ name: String) throws -> Data {
        try Data(
            contentsOf: TraceFixture.folder.deletingLastPathComponent().appending(path: "clock-dev").appending(
                path: name))
    }

    @Test func theTickErrorOfTheReferencePairsIsFound() throws {
        let truth = try JSONDecoder().decode(Truth.self, from: fixture("truth.json"))
        let table = try DelimitedTable(file: "pairs.csv", bytes: Array(fixture("pairs.csv")))
        let summary = try ClockPairs(table: table).summary(file: "pairs.csv")
        #expect(abs(summary.tickErrorPPM - truth.mean_tick_error_ppm) < 0.4)
        #expect(summary.steps.isEmpty)
        #expect(summary.restarts == 0)
    }

    @Test func aStepInThePairsIsFoundWithItsPlaceAndSize() throws {
        var lines = String(decoding: try fixture("pairs.csv"), as: UTF8.self).split(separator: "\n").map(String.init)
        for index in 2000..<lines.count {
            let fields = lines[index].split(separator: ",")
            lines[index] = "\(try #require(Int64(fields[0])) - 350_000_000),\(fields[1])"
        }
        func host(_ index: Int) throws -> Double {
            Double(try #require(Int64(lines[index].split(separator: ",")[0])))
        }
        let at = (try host(1999) - host(1)) * 1e-9
        let table = try DelimitedTable(file: "pairs.csv", text: lines.joined(separator: "\n"))
        let summary = try ClockPairs(table: table).summary(file: "pairs.csv")
        let step = try #require(summary.steps.first)
        #expect(summary.steps.count == 1)
        #expect(abs(step.sizeSeconds + 0.35) < 1e-3)
        #expect(abs(step.atSeconds - at) < 0.1)
        #expect(abs(summary.tickErrorPPM + 19.1) < 1)
    }

    @Test func badPairsAndSeriesAreRefusedWithTheirLine() throws {
        #expect(
            throws: CalibrationError.badInput(
                file: "p.csv", line: 3, reason: "counter_u16 is 70000, a 16-bit counter lies in 0...65535")
        ) {
            try ClockPairs(table: DelimitedTable(file: "p.csv", text: "host_ns,counter_u16\n1,2\n3,70000\n"))
        }
        #expect(throws: CalibrationError.self) {
            try ClockPairs(table: DelimitedTable(file: "p.csv", text: "host_ns,counter_u16\n1,2\n"))
                .summary(file: "p.csv")
        }
        #expect(
            throws: CalibrationError.badInput(
                file: "s.csv", line: 4, reason: "t_ms does not increase (10.0, then 10.0)")
        ) {
            try ChangeSummary(table: DelimitedTable(file: "s.csv", text: "t_ms,power_w\n0,1\n10,1\n10,2\n"))
        }
        #expect(throws: CalibrationError.self) {
            try ChangeSummary(table: DelimitedTable(file: "s.csv", text: "t_ms,power_w\n0,1\n10,nan\n"))
        }
    }
}
