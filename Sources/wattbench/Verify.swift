import ArgumentParser
import Calibration
import Foundation
import Metrology

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Proves the installed numerics: reference problems in, answers out.",
        discussion: """
            FILE.json is a NIST reference data set (linear, nonlinear, univariate, anova1), one numeric problem or a list of \
            them, or a list of energy budgets. Answers in the file are ignored.
            Example: wattbench verify nist/Wampler4.json --json
            """
    )

    @Argument(help: "JSON file with the problem or problems.")
    var file: String

    @Flag(help: "Print JSON (the only form; kept for symmetry with the other verbs).")
    var json = false

    func run() throws {
        do {
            let document = try JSONText(file: file, bytes: try CalibrationFiles.bytes(file))
            print(try NumericProof.answer(document, file: file).serialized())
        } catch {
            throw CalibrationFiles.failure(error)
        }
    }
}
