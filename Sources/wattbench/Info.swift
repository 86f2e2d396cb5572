import ArgumentParser
import Foundation
import RunStore

struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what a run file holds: meters, samples, gaps, what is accounted for and what is not.",
        discussion: "Reads indexes only: quick for any length. Example: wattbench info run.wbrun --json"
    )

    @Argument(
        help: ArgumentHelp("A run file (.wbrun), finished, running or left by a killed recording.", valueName: "run"))
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let info = try RunReader(opening: file).info()
        if json {
            print(try PrintedJSON.of(info))
        } else {
            print(info.text)
        }
    }
}
