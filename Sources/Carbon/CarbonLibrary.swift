package import Foundation
package import Quantities

/// The shipped carbon data (`calibration/carbon`).
package struct CarbonLibrary: Sendable {
    package let folder: String
    private let entries: [Entry]

    private struct Catalogue: Decodable { var sources: [Entry] }

    private struct Entry: Decodable, Sendable {
        enum Layout: String, Decodable, Sendable {
            case byRegion = "by-region"
            case hours
        }
        var id: String
        var file: String
        var layout: Layout
        var regionColumn: String?
        var monthColumn: String?
        var valueColumn: String?
        var firstHour: Date?
        var basis: IntensityBasis
        var scope: IntensityScope
        var resolution: IntensityResolution
        var year: Int
        var relativeU: Double?
    }

    /// - Throws: `CarbonError.file` if `sources.json` is missing or wrong.
    package init(folder: String) throws(CarbonError) {
        self.folder = folder
        let path = folder + "/sources.json"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .file(path: path, reason: "there is no such file")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .iso8601
        do { entries = try decoder.decode(Catalogue.self, from: data).sources } catch {
            throw .file(path: path, reason: "is not a list of sources: \(error)")
        }
    }

    /// The folder named by WATTBENCH_CARBON, else `calibration/carbon` above the executable or the current folder.
    package static func find(environment: [String: String] = ProcessInfo.processInfo.environment) throws(CarbonError)
        -> CarbonLibrary
    {
        if let stated = environment["WATTBENCH_CARBON"] { return try CarbonLibrary(folder: stated) }
        let starts = [
            URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent(),
            URL(fileURLWithPath: FileManager.default.currentDirectoryPath),
        ]
        for start in starts {
            var folder = start
            while true {
                let candidate = folder.appendingPathComponent("calibration/carbon").path
                if FileManager.default.fileExists(atPath: candidate + "/sources.json") {
                    return try CarbonLibrary(folder: candidate)
                }
                if folder.path == "/" { break }
                folder = folder.deletingLastPathComponent()
            }
        }
        throw .file(
            path: "calibration/carbon",
            reason: "not found above the program or the current folder; set WATTBENCH_CARBON")
    }

    package var sourceIDs: [String] { entries.map(\.id) }

    /// - Throws: `CarbonError.unknownSource` listing the valid names, or what is wrong with the file.
    package func source(_ id: String) throws(CarbonError) -> IntensitySource {
        guard let entry = entries.first(where: { $0.id == id }) else { throw .unknownSource(id, valid: sourceIDs) }
        let table = try CSVTable(file: folder + "/" + entry.file)
        var series: [String: [Double]] = [:]
        switch entry.layout {
        case .byRegion:
            let region = try table.column(entry.regionColumn ?? "region")
            let value = try table.column(entry.valueColumn ?? "g_per_kwh")
            for row in table.rows.indices {
                guard let number = try table.number(row, value) else { continue }
                if let month = entry.monthColumn {
                    let text = table.rows[row][try table.column(month)]
                    guard let place = text.split(separator: "-").last.flatMap({ Int($0) }), (1...12).contains(place)
                    else {
                        throw .line(path: table.path, line: row + 2, reason: "a month is expected, found \"\(text)\"")
                    }
                    series[table.rows[row][region], default: [Double](repeating: .nan, count: 12)][place - 1] = number
                } else {
                    series[table.rows[row][region]] = [number]
                }
            }
        case .hours:
            for column in table.header.indices.dropFirst() {
                var values: [Double] = []
                for row in table.rows.indices { values.append(try table.number(row, column) ?? .nan) }
                series[table.header[column]] = values
            }
        }
        return IntensitySource(
            id: entry.id, basis: entry.basis, scope: entry.scope, resolution: entry.resolution, year: entry.year,
            relativeUncertainty: entry.relativeU, series: series, firstHour: entry.firstHour)
    }

    /// Intensity of a region at a time from a named source.
    package func intensity(region: String, at time: Date, source id: String) throws(CarbonError) -> Quantity<
        GramsPerKilowattHour
    > {
        try source(id).intensity(region: region, at: time)
    }
}
