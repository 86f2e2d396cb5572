import Foundation
import Quantities
import Testing

@testable import Carbon

@Suite struct CarbonLibraryTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "../../calibration/carbon"
    ).standardized.path

    func date(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

    @Test func everyShippedSourceReads() throws {
        let library = try CarbonLibrary(folder: Self.folder)
        for id in library.sourceIDs {
            let source = try library.source(id)
            #expect(!source.series.isEmpty, "\(id)")
            #expect(source.series.values.joined().allSatisfy { $0.isNaN || $0 >= 0 }, "\(id)")
            #expect(source.statement.contains(source.scope.rawValue))
        }
    }

    @Test func hoursMonthsAndYearsAreFound() throws {
        let library = try CarbonLibrary(folder: Self.folder)
        let hour = try library.intensity(
            region: "CISO", at: try date("2022-01-01T01:30:00Z"), source: "eia-2022-production")
        #expect(hour.value == 260.9)
        #expect(abs((hour.standardUncertainty ?? 0) - 0.08 * 260.9) < 1e-9)
        let month = try library.intensity(
            region: "AEC", at: try date("2016-03-15T00:00:00Z"), source: "ba-2016-monthly-production")
        #expect(month.value == 560.25)
        #expect(month.standardUncertainty == nil)
        let year = try library.intensity(
            region: "AVA", at: try date("2020-03-15T00:00:00Z"), source: "ba-2016-annual-consumption")
        #expect(year.value == 132.3)
    }

    @Test func aMeanWeighsPartsOfHours() throws {
        let source = IntensitySource(
            id: "t", basis: .production, scope: .direct, resolution: .hourly, year: 2022, relativeUncertainty: nil,
            series: ["A": [100, 200, 400]], firstHour: try date("2022-01-01T00:00:00Z"))
        let mean = try source.mean(region: "A", from: try date("2022-01-01T00:30:00Z"), seconds: 5400)
        #expect(abs(mean.value - (0.5 * 100 + 200) / 1.5) < 1e-9)
    }

    @Test func nothingIsExtrapolatedOrGuessed() throws {
        let library = try CarbonLibrary(folder: Self.folder)
        #expect(throws: CarbonError.self) {
            try library.intensity(region: "CISO", at: try date("2023-01-01T00:00:00Z"), source: "eia-2022-production")
        }
        #expect(throws: CarbonError.self) {
            try library.intensity(region: "nowhere", at: .now, source: "egrid-2022")
        }
        #expect(throws: CarbonError.unknownSource("x", valid: library.sourceIDs)) { try library.source("x") }
    }

    @Test func carbonCarriesBothUncertainties() {
        let grams = carbon(of: Quantity<WattHours>(1000, u: 30), at: Quantity(400, u: 16))
        #expect(grams.value == 400)
        #expect(abs((grams.standardUncertainty ?? 0) - 20) < 1e-12)
        #expect(carbon(of: .notEvaluated(1), at: Quantity(400, u: 16)).standardUncertainty == nil)
    }

    @Test func tablesNameTheLineThatIsWrong() throws {
        let table = try CSVTable(text: "a,b\n\"x, \"\"y\"\"\",2\n", path: "t.csv")
        #expect(table.rows == [["x, \"y\"", "2"]])
        #expect(throws: CarbonError.line(path: "t.csv", line: 3, reason: "2 cells are expected, found 1")) {
            try CSVTable(text: "a,b\n1,2\n3\n", path: "t.csv")
        }
    }
}
