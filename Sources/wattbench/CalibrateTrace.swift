import ArgumentParser
import Calibration
import Foundation

struct CalibrateTrace: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "The whole chain on one recording: clocks, sync patterns, phase energies, shutdown and wake.",
        discussion: """
            DIR holds samples.csv (seq,v_uv,i_ua), packets.csv (host_ns,first_seq,count), events.csv \
            (board_ns,event,attrs_json) and meta.json. Energies are at the meter, u_energy_j is k = 1. Remarks on \
            losses, gaps and clocks go to stderr.
            Example: wattbench calibrate trace recordings/pi01 --json
            """
    )

    @Argument(help: "Folder with the recording.")
    var directory: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let analysis: TraceAnalysis
        do {
            let folder = try TraceFolder(name: directory) { name throws(CalibrationError) in
                try InputFile.bytes("\(directory)/\(name)")
            }
            analysis = try TraceAnalysis(folder)
        } catch {
            throw ExitFailure(.badInput, error.description)
        }
        InputFile.remark(analysis.remarks)
        print(json ? try InputFile.json(analysis.summary) : analysis.summary.text)
    }
}
