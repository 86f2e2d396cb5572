import ArgumentParser
import Foundation

@main
struct Wattbench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wattbench",
        abstract: "Measures boards at 1 kHz while they learn, and plans how they spend less carbon.",
        discussion: """
            Exit codes: 0 ok, 1 measured but a rule failed, 2 usage or bad input, 3 bench not ready (meter, \
            permission, GPIO), 4 interrupted, resumable.
            """,
        subcommands: [
            DoctorCommand.self,
            Meters.self,
            Emulate.self,
            Decode.self,
            Record.self,
            CampaignCommand.self,
            Analyze.self,
            Markers.self,
            Info.self,
            Check.self,
            Export.self,
            Calibrate.self,
            Verify.self,
            DetaCommand.self,
            ReportCommand.self,
        ]
    )

    /// Runs the verb and turns what it throws into one sentence on stderr and the documented exit code.
    static func main() async {
        // A reader that goes away (`| head`) must end us with a write error, not a signal.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            leave(with: error)
        }
    }

    private static func leave(with error: any Error) -> Never {
        switch error {
        case let failure as ExitFailure:
            complain(failure.description)
            Foundation.exit(failure.status.rawValue)
        case let code as ExitCode:
            Foundation.exit(code.rawValue)
        default:
            let code = exitCode(for: error)
            if code == .success { exit(withError: error) }
            // The parser's own errors carry code 64; everything else says its sentence itself.
            complain(code == .validationFailure ? fullMessage(for: error) : "\(error)")
            Foundation.exit(ExitStatus.badInput.rawValue)
        }
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(
            Data((text.hasPrefix("Error") ? text : "wattbench: \(text)").appending("\n").utf8))
    }
}
