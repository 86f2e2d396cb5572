import ArgumentParser
import MarkerServer
import PhaseLink

struct MarkersShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows events, sources, gaps, open spans and phases.",
        discussion: """
            Example: wattbench markers runs/r7.wbrun --json

            Phases stand on the host clock where the node's clock is known, else on the node's own.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Run file, or a file of marker lines (from `markers listen` or a file:// sink).", valueName: "run"))
    var path: String

    @Flag(help: "One JSON object on stdout.")
    var json = false

    func run() throws {
        let report = try MarkerSource.report(path)
        print(json ? report.json.encoded : report.text)
    }
}
