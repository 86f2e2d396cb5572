import ArgumentParser
import Calibration
import Foundation
import Metrology

struct CalibrateChanges: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract: "Finds where the level of a power series changes.",
        discussion: """
            SERIES.csv: t_ms,power_w, evenly spaced (10 ms means). An index is the first sample of a new segment, \
            counted from 0.
            Example: wattbench calibrate changes series.csv --json
            """
    )

    @Argument(help: "CSV with t_ms,power_w.")
    var series: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let summary: ChangeSummary
        do {
            let table = try DelimitedTable(
                file: series, bytes: try InputFile.bytes(series), required: ["t_ms", "power_w"])
            summary = try ChangeSummary(table: table)
        } catch let error as CalibrationError {
            throw ExitFailure(.badInput, error.description)
        } catch let error as MetrologyError {
            throw ExitFailure(.badInput, error.description)
        }
        print(json ? try InputFile.json(summary) : summary.text)
    }
}
