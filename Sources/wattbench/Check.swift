import ArgumentParser
import Foundation
import RunStore

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judges a run file from the file alone: is it whole, is every sample accounted for.",
        discussion: """
            Checks SQLite's own structure, the CRC and order of every block, the gaps against the meter's clock, and the \
            summaries against the samples. Exit code 1 if something fails.
            Example: wattbench check run.wbrun --json
            """
    )

    @Argument(help: ArgumentHelp("A run file (.wbrun).", valueName: "run"))
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let progress = FractionProgress(verb: "check")
        let report = try RunReader(opening: file).integrity(progress: progress.update)
        progress.end()
        print(json ? try PrintedJSON.of(report) : report.text)
        if !report.isSound { throw ExitCode(ExitStatus.ruleFailed.rawValue) }
    }
}
