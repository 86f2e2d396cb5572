import ArgumentParser
import Calibration
import Foundation
import Metrology

struct CalibrateClock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock",
        abstract: "A meter's tick error and the host clock's steps from arrival times.",
        discussion: """
            PAIRS.csv: host_ns,counter_u16 (arrival of a packet, counter of its last sample; 1 kHz, 16 bits). \
            tick = 1 ms x (1 + error) of host time; at_s counts from the first pair.
            Example: wattbench calibrate clock pairs.csv --json
            """
    )

    @Argument(help: "CSV with host_ns,counter_u16.")
    var pairs: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let summary: ClockSummary
        do {
            let table = try DelimitedTable(
                file: pairs, bytes: try InputFile.bytes(pairs), required: ["host_ns", "counter_u16"])
            summary = try ClockPairs(table: table).summary(file: pairs)
        } catch let error as CalibrationError {
            throw ExitFailure(.badInput, error.description)
        } catch let error as MetrologyError {
            throw ExitFailure(.badInput, error.description)
        }
        if summary.restarts > 0 {
            InputFile.remark(["The counter jumped \(summary.restarts) times in a way arrival times do not explain."])
        }
        print(json ? try InputFile.json(summary) : summary.text)
    }
}
