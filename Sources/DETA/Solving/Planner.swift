/// How much effort an optimum is worth.
package struct PlannerOptions: Sendable, Equatable {
    /// Seconds for each variant.
    package var timeLimit = 60.0
    /// Relative gap at which a search with sleep may stop.
    package var relativeGap = 1e-3
    package var seed = 0
    /// Threads on which independent parts are worked on; each solver call has one.
    package var threads = 1

    package init() {}

    func solverOptions(timeLeft: Double) -> SolverOptions {
        SolverOptions(timeLimit: max(0.05, timeLeft), relativeGap: relativeGap, seed: seed, threads: 1)
    }
}

/// Finds optima: chooses model, method and decomposition by variant and size.
package struct Planner: Sendable {
    package let solver: any Solver
    package var options: PlannerOptions

    package init(solver: any Solver, options: PlannerOptions = PlannerOptions()) {
        self.solver = solver
        self.options = options
    }

    /// Answers for several variants, in order. Ends early if `control` is stopped.
    /// - Throws: `DETAError.solver`. Infeasible variants are answers, not errors.
    package func solve(_ instance: Instance, variants: [Variant], control: SolveControl? = nil) throws(DETAError)
        -> Answer
    {
        var answer = Answer(instance: instance.name, solver: solver.name)
        for variant in variants { answer.variants.append((variant, try solve(instance, variant, control: control))) }
        return answer
    }

    /// The answer for one variant.
    package func solve(_ instance: Instance, _ variant: Variant, control: SolveControl? = nil) throws(DETAError)
        -> VariantAnswer
    {
        let stopwatch = Stopwatch()
        var answer: VariantAnswer
        switch variant {
        case .greedy: answer = greedy(instance)
        case .none: answer = try solveAlone(instance, control: control, stopwatch: stopwatch)
        case .sleepOnly: answer = try solveSleepAlone(instance, control: control, stopwatch: stopwatch)
        case .det, .datNoSleep, .detaNoSleep:
            answer = try solveLinear(instance, variant, control: control, stopwatch: stopwatch)
        case .dat, .deta: answer = try solveSleeping(instance, variant, control: control, stopwatch: stopwatch)
        }
        if answer.status == .infeasible, answer.infeasibility == nil {
            answer.infeasibility = try Diagnosis(solver: solver).explain(instance, variant)
        }
        answer.seconds = stopwatch.seconds
        return answer
    }

    private func greedy(_ instance: Instance) -> VariantAnswer {
        let (schedule, broken) = Greedy.schedule(for: instance)
        if let broken { return VariantAnswer(status: .infeasible, infeasibility: broken) }
        var answer = VariantAnswer(
            status: .heuristic, objectiveG: schedule.objective(of: instance), schedule: schedule)
        answer.method = "process on arrival"
        return answer
    }

    /// N separate linear models: without exchange no server sees another.
    private func solveAlone(_ instance: Instance, control: SolveControl?, stopwatch: Stopwatch) throws(DETAError)
        -> VariantAnswer
    {
        try eachAlone(instance, control: control, stopwatch: stopwatch) { (part) throws(DETAError) in
            try solveLinear(part, .none, control: control, stopwatch: stopwatch)
        }
    }

    private func solveSleepAlone(_ instance: Instance, control: SolveControl?, stopwatch: Stopwatch) throws(DETAError)
        -> VariantAnswer
    {
        try eachAlone(instance, control: control, stopwatch: stopwatch) { (part) throws(DETAError) in
            try solveSleeping(part, .sleepOnly, control: control, stopwatch: stopwatch)
        }
    }

    private func eachAlone(
        _ instance: Instance, control: SolveControl?, stopwatch: Stopwatch,
        _ solveOne: (Instance) throws(DETAError) -> VariantAnswer
    ) throws(DETAError) -> VariantAnswer {
        var whole = Schedule(servers: instance.servers.count, slots: instance.slots)
        var objective = 0.0
        var bound = 0.0
        var status = AnswerStatus.optimal
        for i in instance.servers.indices {
            if control?.isStopped == true { return VariantAnswer(status: .interrupted) }
            var part = try solveOne(instance.subset([i]))
            guard let schedule = part.schedule, let value = part.objectiveG else {
                if part.status == .infeasible {
                    part.infeasibility = try Diagnosis(solver: solver).explain(instance.subset([i]), .none)
                    part.infeasibility?.server = i
                    part.infeasibility?.serverID = instance.servers[i].id
                }
                return VariantAnswer(status: part.status, infeasibility: part.infeasibility)
            }
            whole.insert(schedule, at: [i])
            objective += value
            bound += part.boundG ?? 0
            if part.status != .optimal { status = part.status }
        }
        var answer = VariantAnswer(
            status: status, objectiveG: objective, boundG: min(bound, objective), schedule: whole)
        answer.method = "\(instance.servers.count) separate models"
        return answer
    }

    /// A variant whose sleep pattern is fixed.
    func solveLinear(
        _ instance: Instance, _ variant: Variant, control: SolveControl?, stopwatch: Stopwatch
    ) throws(DETAError) -> VariantAnswer {
        let formulation = Formulation(instance, variant: variant)
        let result = try solveModel(formulation.model, control: control, stopwatch: stopwatch)
        return finish(result, formulation, stopwatch: stopwatch)
    }

    /// A linear model by the method that suits its size.
    func solveModel(_ model: LinearModel, control: SolveControl?, stopwatch: Stopwatch) throws(DETAError)
        -> SolverResult
    {
        var solverOptions = options.solverOptions(timeLeft: options.timeLimit - stopwatch.seconds)
        // deta.md section 14: the interior point method overtakes simplex at about 200 servers x 24 slots.
        solverOptions.method = model.columns > 60_000 ? .interiorPoint : .automatic
        return try solver.solve(model, options: solverOptions, control: control)
    }

    /// Cleans a linear result and proves its bound from the duals, not from the solver's word.
    func finish(_ result: SolverResult, _ formulation: Formulation, stopwatch: Stopwatch) -> VariantAnswer {
        guard let values = result.values else {
            switch result.status {
            case .infeasible: return VariantAnswer(status: .infeasible)
            default: return VariantAnswer(status: .noSolution)
            }
        }
        var schedule = Schedule(values, of: formulation)
        schedule.clean(for: formulation.instance, variant: formulation.variant)
        let objective = schedule.objective(of: formulation.instance)
        var bound = result.bound
        if let duals = result.rowDuals {
            bound = formulation.model.dualBound(rowDuals: duals, reach: formulation.reach)
        }
        var answer = VariantAnswer(
            status: status(of: result), objectiveG: objective, boundG: bound.isFinite ? min(bound, objective) : nil,
            schedule: schedule)
        if let duals = result.rowDuals {
            answer.energyPrices = formulation.energyPoolRows.map { -duals[$0] }
            answer.workPrices = formulation.workPoolRows.map { duals[$0] }
        }
        answer.method = "linear model, \(formulation.model.rows) rows, \(formulation.model.columns) columns"
        return answer
    }

    func status(of result: SolverResult) -> AnswerStatus {
        switch result.status {
        case .optimal: .optimal
        case .timeLimit: .timeLimit
        case .interrupted: .interrupted
        case .infeasible, .unbounded: .infeasible
        }
    }
}

/// Seconds since it was made.
struct Stopwatch: Sendable {
    private let begin = ContinuousClock.now

    var seconds: Double {
        let (whole, atto) = (ContinuousClock.now - begin).components
        return Double(whole) + Double(atto) * 1e-18
    }
}
