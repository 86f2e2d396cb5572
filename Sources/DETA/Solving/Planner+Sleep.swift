extension Planner {
    /// A variant with sleep: one mixed-integer model while that is within reach.
    func solveSleeping(
        _ instance: Instance, _ variant: Variant, control: SolveControl?, stopwatch: Stopwatch
    ) throws(DETAError) -> VariantAnswer {
        let formulation = Formulation(instance, variant: variant)
        // Whoever is always awake can do all that any sleeper can: no plan without it, no plan at all.
        let awake = [Bool](repeating: true, count: instance.servers.count * instance.slots)
        let start = try solveModel(formulation.fixing(awake: awake), control: control, stopwatch: stopwatch)
        guard let startValues = start.values else {
            return finish(start, formulation, stopwatch: stopwatch)
        }
        return try branchAndBound(
            formulation, start: startValues, control: control, stopwatch: stopwatch)
    }

    func branchAndBound(
        _ formulation: Formulation, start: [Double], control: SolveControl?, stopwatch: Stopwatch
    ) throws(DETAError) -> VariantAnswer {
        var solverOptions = options.solverOptions(timeLeft: options.timeLimit - stopwatch.seconds)
        solverOptions.start = start
        let result = try solver.solve(formulation.model, options: solverOptions, control: control)
        guard result.status != .infeasible else { throw .solver("a feasible start is called infeasible") }
        let values = result.values ?? start
        var answer = try polish(values, formulation)
        answer.status = status(of: result)
        answer.boundG = result.bound.isFinite ? min(result.bound, answer.objectiveG ?? .infinity) : nil
        answer.method = "branch and bound, \(formulation.model.rows) rows, \(formulation.model.columns) columns"
        return answer
    }

    /// Solves again with the sleep pattern fixed: exact flows, and prices.
    func polish(_ values: [Double], _ formulation: Formulation) throws(DETAError) -> VariantAnswer {
        let rough = Schedule(values, of: formulation)
        let awake = rough[.u].map { $0 > 0.5 }
        let fixed = formulation.fixing(awake: awake)
        let result = try solveModel(fixed, control: nil, stopwatch: Stopwatch())
        if result.values != nil {
            var answer = finish(result, formulation, stopwatch: Stopwatch())
            answer.boundG = nil
            return answer
        }
        // Rounding the pattern can cost a few millionths of a batch of capacity; then the search's own flows stand.
        var schedule = rough
        schedule.clean(for: formulation.instance, variant: formulation.variant)
        return VariantAnswer(
            status: .optimal, objectiveG: schedule.objective(of: formulation.instance), schedule: schedule)
    }
}

extension Planner {
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
