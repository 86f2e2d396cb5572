import Foundation
import Synchronization

extension Planner {
    /// Server-slots up to which one mixed-integer model is the best way on its own.
    static let singleModelCells = 300
    /// Server-slots up to which the whole is still given to branch and bound after the improvement by parts.
    static let wholeModelCells = 2600

    /// A variant with sleep: one mixed-integer model while that is within reach, else by parts (deta.md section 14).
    func solveSleeping(
        _ instance: Instance, _ variant: Variant, control: SolveControl?, stopwatch: Stopwatch
    ) throws(DETAError) -> VariantAnswer {
        let formulation = Formulation(instance, variant: variant)
        // Whoever is always awake can do all that any sleeper can: no plan without it, no plan at all.
        let cells = instance.servers.count * instance.slots
        let awake = [Bool](repeating: true, count: cells)
        let first = try solveModel(formulation.fixing(awake: awake), control: control, stopwatch: stopwatch)
        guard let values = first.values else { return finish(first, formulation, stopwatch: stopwatch) }
        var plan = Schedule(values, of: formulation)
        plan.clean(for: instance, variant: variant)
        if cells <= Self.singleModelCells || instance.servers.count == 1 {
            return try branchAndBound(formulation, start: plan, until: options.timeLimit, control, stopwatch)
        }
        let parts = PartwiseSearch(planner: self, instance: instance, variant: variant)
        if cells <= Self.wholeModelCells {
            // The search of the whole proves the bound; where time ends it early, parts improve what it found.
            var answer = try branchAndBound(
                formulation, start: plan, until: 0.65 * options.timeLimit, control, stopwatch)
            guard answer.status == .timeLimit, let found = answer.schedule else { return answer }
            let better = try parts.improve(found, until: options.timeLimit, control: control, stopwatch: stopwatch)
            let polished = try polish(better, formulation)
            guard let objective = polished.objectiveG, objective < (answer.objectiveG ?? .infinity) else {
                return answer
            }
            answer.objectiveG = objective
            answer.schedule = polished.schedule
            answer.energyPrices = polished.energyPrices
            answer.workPrices = polished.workPrices
            answer.method += ", improved by parts"
            if (answer.gap ?? 1) <= options.relativeGap { answer.status = .optimal }
            if control?.isStopped == true { answer.status = .interrupted }
            return answer
        }
        plan = try parts.separately(plan, until: 0.6 * options.timeLimit, control: control, stopwatch: stopwatch)
        plan = try parts.improve(plan, until: 0.8 * options.timeLimit, control: control, stopwatch: stopwatch)
        var answer = try polish(plan, formulation)
        let bound = try LagrangianBound(planner: self, instance: instance, variant: variant).prove(
            formulation, prices: (answer.energyPrices, answer.workPrices), control: control)
        answer.boundG = min(bound, answer.objectiveG ?? bound)
        let close = (answer.gap ?? 1) <= options.relativeGap
        answer.status = control?.isStopped == true ? .interrupted : close ? .optimal : .timeLimit
        answer.method =
            "parts of at most \(PartwiseSearch.partCells) server-slots, joint linear model, Lagrangian bound"
        return answer
    }

    private func branchAndBound(
        _ formulation: Formulation, start: Schedule, until limit: Double, _ control: SolveControl?,
        _ stopwatch: Stopwatch
    ) throws(DETAError) -> VariantAnswer {
        var solverOptions = options.solverOptions(timeLeft: limit - stopwatch.seconds)
        solverOptions.start = formulation.values(of: start)
        let result = try solver.solve(formulation.model, options: solverOptions, control: control)
        guard result.status != .infeasible else { throw .solver("a feasible start is called infeasible") }
        var plan = start
        if let values = result.values {
            let found = Schedule(values, of: formulation)
            if found.objective(of: formulation.instance) <= start.objective(of: formulation.instance) + 1e-9 {
                plan = found
            }
        }
        var answer = try polish(plan, formulation)
        answer.status = status(of: result)
        answer.boundG = result.bound.isFinite ? min(result.bound, answer.objectiveG ?? .infinity) : nil
        answer.method = "branch and bound, \(formulation.model.rows) rows, \(formulation.model.columns) columns"
        return answer
    }

    /// Solves again with the sleep pattern fixed: exact flows, and prices.
    func polish(_ plan: Schedule, _ formulation: Formulation) throws(DETAError) -> VariantAnswer {
        let fixed = formulation.fixing(awake: plan[.u].map { $0 > 0.5 })
        var unhurried = self
        unhurried.options.timeLimit = .infinity
        let result = try unhurried.solveModel(fixed, control: nil, stopwatch: Stopwatch())
        if result.values != nil {
            var answer = finish(result, formulation, stopwatch: Stopwatch())
            answer.boundG = nil
            return answer
        }
        // Rounding the pattern can cost a few millionths of a batch of capacity; then the search's own flows stand.
        var schedule = plan
        schedule.clean(for: formulation.instance, variant: formulation.variant)
        return VariantAnswer(
            status: .optimal, objectiveG: schedule.objective(of: formulation.instance), schedule: schedule)
    }

    /// The best flows for a given sleep pattern (N·T flags). Status infeasible if the pattern leaves no plan.
    package func solve(_ instance: Instance, _ variant: Variant, awake: [Bool]) throws(DETAError) -> VariantAnswer {
        let formulation = Formulation(instance, variant: variant, strengthen: false)
        let result = try solveModel(formulation.fixing(awake: awake), control: nil, stopwatch: Stopwatch())
        var answer = finish(result, formulation, stopwatch: Stopwatch())
        // A bound for this pattern is none for the instance.
        answer.boundG = nil
        return answer
    }
}

/// Runs work items on up to `threads` threads and gathers the results in order.
/// - Throws: the first error in order.
func concurrently<Result: Sendable>(
    _ count: Int, threads: Int, _ work: @escaping @Sendable (Int) throws(DETAError) -> Result
) throws(DETAError) -> [Result] {
    guard threads > 1, count > 1 else {
        var results: [Result] = []
        for number in 0..<count { results.append(try work(number)) }
        return results
    }
    let slots = Mutex<[Swift.Result<Result, DETAError>?]>(
        [Swift.Result<Result, DETAError>?](repeating: nil, count: count))
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
        while true {
            let number = next.add(1, ordering: .relaxed).oldValue
            if number >= count { return }
            let outcome: Swift.Result<Result, DETAError>
            do throws(DETAError) { outcome = .success(try work(number)) } catch { outcome = .failure(error) }
            slots.withLock { $0[number] = outcome }
        }
    }
    var results: [Result] = []
    for outcome in slots.withLock({ $0 }) {
        guard let outcome else { throw .solver("a part was not worked on") }
        results.append(try outcome.get())
    }
    return results
}
