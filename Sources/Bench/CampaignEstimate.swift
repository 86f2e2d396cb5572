package import Campaign
import Foundation

/// What a campaign will take, from its plan alone.
package struct CampaignEstimate: Sendable, Encodable {
    package struct StageEstimate: Sendable, Encodable {
        package var name: String
        package var plannedSeconds: Double
    }

    package var campaign: String
    package var bench: String
    package var boards: Int
    package var runs: Int
    package var stages: [StageEstimate]
    package var plannedSeconds: Double
    /// Size of the run files: 8 bytes a sample at most, 1000 samples/s a meter.
    package var diskBytes: Double
    /// Upper estimate of the electrical energy of all boards, Wh, at 6.4 W a board (published full load of a Pi 4B).
    package var energyWattHoursAtMost: Double
    package var mismatches: [String]

    package init(_ campaign: CampaignFile, bench: BenchFile) {
        self.campaign = campaign.name
        self.bench = bench.name
        boards = bench.boards.count
        runs = campaign.repeats
        stages = campaign.stages.map { StageEstimate(name: $0.name, plannedSeconds: $0.plannedSeconds) }
        plannedSeconds = campaign.plannedSeconds
        diskBytes = campaign.plannedSeconds * 1000 * 8 * Double(bench.boards.count)
        energyWattHoursAtMost = campaign.plannedSeconds / 3600 * 6.4 * Double(bench.boards.count)
        mismatches = campaign.mismatches(with: bench)
    }

    package var text: String {
        let lines = stages.enumerated().map { index, stage in
            "  \(index + 1). \(stage.name): \(Int(stage.plannedSeconds.rounded())) s"
        }
        return """
            campaign '\(campaign)' on bench '\(bench)': \(runs) run(s), \(boards) boards
            \(lines.joined(separator: "\n"))
            planned: \(Int(plannedSeconds.rounded())) s, disk at most \(Int((diskBytes / 1e6).rounded(.up))) MB, \
            energy at most \(String(format: "%.1f", energyWattHoursAtMost)) Wh
            """
    }

    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
