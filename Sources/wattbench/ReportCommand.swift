import ArgumentParser
import Bench
import Foundation
import Report
import RunStore

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "One self-contained HTML page of a campaign, for people.",
        discussion: """
            Takes what the folder holds: runs, models.json, instance.json, answer.json, intervals.json, truth.
            Example: wattbench report out/first-light -o out/first-light/report.html
            """
    )

    @Argument(help: "Campaign folder.")
    var folder: String

    @Option(name: .shortAndLong, help: "HTML file to write.")
    var output: String

    func run() throws {
        do {
            let report = try CampaignReport(folder: CampaignFolder(opening: folder))
            try CalibrationFiles.write(report.page.html, to: output)
            print(output)
        } catch let failure as AnalysisFailure {
            throw ExitFailure(.badInput, failure.description)
        } catch let failure as RunStoreError {
            throw ExitFailure(.badInput, failure.description)
        }
    }
}
