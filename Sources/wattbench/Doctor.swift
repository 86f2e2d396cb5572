import ArgumentParser
import Foundation
import MeterDriver

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks what would keep this host from measuring, and says how to mend it.",
        discussion: """
            Looks at meters, permissions, kernel drivers, hubs, clocks, time sync, disk, GPIO, udevd, the virtual bench's \
            needs and the solver. Changes nothing. Exit code 3 when the bench is not ready.
            Example: wattbench doctor --json
            """
    )

    @Option(help: "Folder in which runs will be written.")
    var folder = "."

    @OptionGroup var devices: DeviceOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let report = Doctor(rules: try devices.rules(), folder: folder).examine()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(report.text)
        }
        if !report.isReady { throw ExitCode(ExitStatus.benchNotReady.rawValue) }
    }
}
