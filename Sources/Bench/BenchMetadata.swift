package import Campaign
import Foundation

/// The bench as the run file carries it (metadata key `bench`): who wore which meter, where, and how it was wired.
/// Keys in the file are in snake case: `carbon_g_per_kwh`, `current_sign`, `sleep_state`, `cable_ohm`, `u_cable_ohm`.
package struct BenchMetadata: Codable, Sendable, Equatable {
    package struct Board: Codable, Sendable, Equatable {
        package var name: String
        package var node: String
        /// Serial of the meter.
        package var meter: String
        package var region: String
        /// g CO2e per kWh as bench.yaml states it; absent: look it up by region.
        package var carbonGPerKwh: Double?
        package var currentSign: Int
        package var sleepState: String
        package var cableOhm: Double?
        package var uCableOhm: Double?
    }

    package var name: String
    package var boards: [Board]

    package init(_ bench: BenchFile) {
        name = bench.name
        boards = bench.boards.map {
            Board(
                name: $0.name, node: $0.node, meter: $0.meter, region: $0.region,
                carbonGPerKwh: $0.carbonGramsPerKilowattHour, currentSign: $0.currentSign,
                sleepState: $0.sleepState.rawValue, cableOhm: $0.cableOhms, uCableOhm: $0.cableOhmsUncertainty)
        }
    }

    /// Reads what a run file carries. - Throws: `DecodingError` if it is not what `metadataJSON` wrote.
    package init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Self.self, from: Data(json.utf8))
    }
}

extension BenchFile {
    /// JSON of `BenchMetadata`, keys sorted.
    package func metadataJSON() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(BenchMetadata(self)), as: UTF8.self)
    }
}
