import ArgumentParser
import Bench
import RunStore

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Energy per node, phase and round with its uncertainty, gross and net, and CO2e.",
        discussion: """
            Energies are at the meter, from the meter's own clock; U is stated at k = 2, JSON carries u at k = 1. Net \
            is gross less the idle power of the run's baseline stage.
            Example: wattbench analyze out/first-light/runs/run-001.wbrun --json
            """
    )

    @Argument(help: "Run file.")
    var file: String

    @Flag(help: "Print JSON, every phase included.")
    var json = false

    func run() throws {
        let energy = RunEnergy(try RunRecordings.reading(file))
        for remark in energy.remarks { InputFile.remark([remark]) }
        print(json ? try energy.json() : energy.text)
    }
}

extension RunRecordings {
    /// Opens a run for a verb: what is wrong with the file is bad input.
    static func reading(_ file: String) throws -> RunRecordings {
        do {
            return try RunRecordings(opening: file)
        } catch let error as RunStoreError {
            throw ExitFailure(.badInput, error.description)
        } catch let error as AnalysisFailure {
            throw ExitFailure(.badInput, error.description)
        }
    }
}
