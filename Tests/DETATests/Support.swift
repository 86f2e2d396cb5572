import DETA
import Foundation
import Solvers
import Testing

/// The solver of this machine, found once.
enum TestSolver {
    static let solver: any Solver = InstalledSolver.find().solver

    static func planner(gap: Double = 1e-7) -> Planner {
        var options = PlannerOptions()
        options.relativeGap = gap
        options.timeLimit = 60
        return Planner(solver: solver, options: options)
    }
}

/// Objectives of an instance by variant; every schedule goes through the audit on the way.
func optima(_ instance: Instance, _ variants: [Variant], gap: Double = 1e-7) throws -> [Variant: Double] {
    let answer = try TestSolver.planner(gap: gap).solve(instance, variants: variants)
    let file = try AnswerFile(json: answer.json(), servers: instance.servers.count, slots: instance.slots)
    var result: [Variant: Double] = [:]
    for (claim, entry) in zip(file.claims, answer.variants) {
        let objective = try #require(entry.answer.objectiveG, "\(entry.variant): \(entry.answer.status)")
        let report = try #require(Audit.run(claim, instance: instance))
        #expect(report.findings == [], "\(instance.name) \(entry.variant)")
        if let bound = entry.answer.boundG {
            #expect(bound <= objective)
            #expect(objective - bound <= max(2 * gap, 1e-6) * max(1, objective), "\(instance.name) \(entry.variant)")
        }
        result[entry.variant] = objective
    }
    return result
}

/// a <= b up to solver tolerance.
func notAbove(_ a: Double?, _ b: Double?, _ note: String = "", _ location: SourceLocation = #_sourceLocation) {
    guard let a, let b else {
        Issue.record("missing objective \(note)", sourceLocation: location)
        return
    }
    #expect(a <= b + 2e-6 * max(1, abs(b)), "\(note)", sourceLocation: location)
}

func close(_ a: Double?, _ b: Double?, _ tolerance: Double = 2e-6) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= tolerance * max(1, abs(b))
}
