import ArgumentParser
import DETA
import Foundation
import Solvers

struct DetaSolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "solve",
        abstract: "Finds the plan with the least carbon and proves how good it is.",
        discussion: """
            Example: wattbench deta solve fleet.json.gz --variant all -o answer.json

            Exit codes: 0 solved (the gap is stated), 1 some of several variants are infeasible, 2 bad or infeasible \
            input, 4 stopped by Ctrl-C (the answer holds the best plan so far with its gap).
            """)

    @Argument(help: "Instance file (deta-instance/1), plain or gzip.")
    var instance: String

    @Option(
        name: .long,
        help: """
            none, det, dat, deta, dat_nosleep, deta_nosleep, greedy, sleep_only, several with commas between, or all \
            (all but sleep_only).
            """)
    var variant: String = "all"

    @Option(name: .shortAndLong, help: "Answer file; compressed if it ends in .gz.")
    var output: String?

    @Option(help: "Seconds for each variant.")
    var timeLimit: Double = 60

    @Option(help: "Relative gap at which a search with sleep may stop.")
    var gap: Double = 1e-3

    @Option(help: "Seed of the solver.")
    var seed: Int = 0

    @Option(help: "Threads for independent parts of a large fleet.")
    var threads: Int = min(8, ProcessInfo.processInfo.activeProcessorCount)

    @Flag(help: "Print the answer without schedules as JSON on stdout.")
    var json = false

    mutating func validate() throws {
        _ = try variants()
        guard timeLimit > 0 else { throw ValidationError("--time-limit must be above 0, found \(timeLimit)") }
        guard gap >= 0, gap < 1 else { throw ValidationError("--gap must be from 0 to below 1, found \(gap)") }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1, found \(threads)") }
    }

    private func variants() throws -> [Variant] {
        if variant == "all" { return Variant.all }
        return try variant.split(separator: ",").map { word in
            guard let variant = Variant(rawValue: String(word)) else {
                let valid = Variant.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("variant \"\(word)\" is not one of \(valid), all")
            }
            return variant
        }
    }

    func run() async throws {
        let fleet = try Instance(file: instance)
        let (solver, notice) = InstalledSolver.find()
        if let notice { Console.note(notice) }
        var options = PlannerOptions()
        options.timeLimit = timeLimit
        options.relativeGap = gap
        options.seed = seed
        options.threads = threads
        let control = SolveControl { [timeLimit] in Console.progress($0, limit: timeLimit) }
        let interrupt = InterruptHandler { control.stop() }
        defer { interrupt.cancel() }

        var answer = Answer(instance: fleet.name, solver: solver.name)
        let planner = Planner(solver: solver, options: options)
        for variant in try variants() {
            if control.isStopped { break }
            Console.note("\(fleet.name): \(variant.rawValue) ...", transient: true)
            answer.variants.append((variant, try planner.solve(fleet, variant, control: control)))
        }
        Console.clear()
        if let output { try TextFile.write(answer.json(), to: output) }
        if json {
            print(String(decoding: answer.json(solutions: false), as: UTF8.self))
        } else {
            print(AnswerTable.text(answer))
        }
        try leave(answer, interrupted: control.isStopped)
    }

    private func leave(_ answer: Answer, interrupted: Bool) throws {
        if interrupted {
            throw ExitFailure(.interrupted, "interrupted; the answer holds the best plans found so far with their gaps")
        }
        let infeasible = answer.variants.filter { $0.variant != .greedy && $0.answer.status == .infeasible }
        for (variant, part) in infeasible {
            let reason = part.infeasibility?.message ?? "infeasible"
            Console.note("\(instance): \(variant.rawValue): \(reason)")
        }
        let asked = answer.variants.filter { $0.variant != .greedy || answer.variants.count == 1 }
        if asked.contains(where: { $0.answer.status == .noSolution }) {
            throw ExitFailure(.ruleFailed, "time ran out before any plan was found; raise --time-limit")
        }
        if answer.variants.count == 1, let only = answer.variants.first, only.answer.status == .infeasible {
            throw ExitFailure(
                .badInput,
                "\(instance): \(only.variant.rawValue): \(only.answer.infeasibility?.message ?? "infeasible")")
        }
        guard !infeasible.isEmpty else { return }
        throw ExitFailure(
            infeasible.count == asked.count ? .badInput : .ruleFailed,
            "\(infeasible.count) of \(asked.count) variants have no schedule")
    }
}
