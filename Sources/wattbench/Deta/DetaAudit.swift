import ArgumentParser
import DETA
import Foundation

struct DetaAudit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Checks an answer against every rule of its instance, without a solver.",
        discussion: """
            Example: wattbench deta audit fleet.json.gz answer.json

            Exit codes: 0 every rule holds, 1 a rule is broken, 2 bad input.
            """)

    @Argument(help: "Instance file (deta-instance/1), plain or gzip.")
    var instance: String

    @Argument(help: "Answer file of deta solve, plain or gzip.")
    var answer: String

    @Option(help: "Relative tolerance.")
    var tolerance: Double = 1e-6

    @Option(help: "Write who sends how much to whom, slot by slot, as CSV.")
    var flows: String?

    @Flag(help: "Print the findings as JSON.")
    var json = false

    func run() async throws {
        let fleet = try Instance(file: instance)
        let data = try TextFile.read(answer)
        let file: AnswerFile
        do {
            file = try AnswerFile(json: data, servers: fleet.servers.count, slots: fleet.slots)
        } catch { throw DETAError.inFile(answer, error) }
        if file.instance != fleet.name {
            Console.note("the answer is for \"\(file.instance)\", the instance is \"\(fleet.name)\"")
        }
        let reports = file.claims.compactMap { Audit.run($0, instance: fleet, tolerance: tolerance) }
        let silent = file.claims.filter(\.solution.isEmpty)
        if json {
            print(AuditText.json(reports, withoutSchedule: silent.map(\.variant)))
        } else {
            print(AuditText.table(reports, withoutSchedule: silent, fleet: fleet))
        }
        if let flows { try TextFile.write(Data(PairFlows.csv(file, instance: fleet).utf8), to: flows) }
        let broken = reports.filter { !$0.passed }.map(\.variant)
        if !broken.isEmpty {
            throw ExitFailure(.ruleFailed, "rules are broken in \(broken.joined(separator: ", "))")
        }
        if reports.isEmpty { throw ExitFailure(.badInput, "\(answer): no schedule to audit") }
    }
}
