import Synchronization

/// Improves a plan part by part: a few servers over a few rounds get a new sleep pattern, what they exchange with the
/// rest of the fleet stays; then one joint linear model lets all flows find their optimum again. Every step keeps a
/// complete plan and none makes it worse.
struct PartwiseSearch: Sendable {
    /// Server-slots whose sleep pattern is free at a time.
    static let partCells = 200

    let planner: Planner
    let instance: Instance
    let variant: Variant

    private struct Part: Sendable {
        var members: [Int]
        var window: Range<Int>
    }

    func improve(_ start: Schedule, until limit: Double, control: SolveControl?, stopwatch: Stopwatch) throws(DETAError)
        -> Schedule
    {
        var plan = start
        var best = start.objective(of: instance)
        var random = SplitMix64(seed: UInt64(bitPattern: Int64(planner.options.seed)) &+ 1)
        var sweep = 0
        var idle = 0
        while stopwatch.seconds < limit, control?.isStopped != true, idle < 2 {
            let before = best
            for batch in parts(sweep: sweep, using: &random) {
                guard stopwatch.seconds < limit, control?.isStopped != true else { break }
                plan = try work(batch, plan, until: limit, sweep: sweep, control: control, stopwatch: stopwatch)
            }
            if let joint = try jointly(plan), joint.objective(of: instance) < plan.objective(of: instance) {
                plan = joint
            }
            best = plan.objective(of: instance)
            control?.progress(
                SolveProgress(
                    stage: "improvement by parts, sweep \(sweep + 1)", seconds: stopwatch.seconds, incumbent: best,
                    bound: -.infinity))
            sweep += 1
            idle = before - best < 0.2 * planner.options.relativeGap * max(best, 1e-9) ? idle + 1 : 0
        }
        return plan
    }

    /// Groups that each span the range of intensities, every one solved as a fleet of its own, then all flows jointly: the
    /// first plan of a large fleet. Groups that cannot do their work alone keep their part of `start`.
    func separately(_ start: Schedule, until limit: Double, control: SolveControl?, stopwatch: Stopwatch)
        throws(DETAError) -> Schedule
    {
        var random = SplitMix64(seed: 0)
        let size = max(2, 2 * Self.partCells / max(1, instance.slots))
        let groups = groups(of: min(size, instance.servers.count), sweep: 0, using: &random)
        let rounds = Double((groups.count + planner.options.threads - 1) / planner.options.threads)
        let each = max(1, (limit - stopwatch.seconds) / rounds)
        let done = Atomic<Int>(0)
        let plans = try concurrently(groups.count, threads: planner.options.threads) {
            (number) throws(DETAError) -> Schedule? in
            guard stopwatch.seconds < limit, control?.isStopped != true else { return nil }
            let piece = instance.subset(groups[number])
            let formulation = Formulation(piece, variant: variant)
            var options = planner.options.solverOptions(timeLeft: each)
            options.relativeGap = max(planner.options.relativeGap, 1e-2)
            let result = try planner.solver.solve(formulation.model, options: options, control: control)
            control?.progress(
                SolveProgress(
                    stage: "group \(done.add(1, ordering: .relaxed).newValue) of \(groups.count)",
                    seconds: stopwatch.seconds, incumbent: .nan, bound: .nan))
            guard let values = result.values else { return nil }
            var plan = Schedule(values, of: formulation)
            plan.roundSleep()
            return plan
        }
        // Flows of groups that stand alone and of groups that do not cannot be mixed: their sleep patterns can.
        var plan = start
        for (members, part) in zip(groups, plans) {
            guard let part else { continue }
            plan.insert(part, at: members)
        }
        guard let fitted = try jointly(plan) else { return start }
        return fitted.objective(of: instance) < start.objective(of: instance) ? fitted : start
    }

    /// Batches of parts that share no server-slot: all parts of a batch may be worked on at once.
    private func parts(sweep: Int, using random: inout SplitMix64) -> [[Part]] {
        let slots = instance.slots
        let window = windowLength(sweep)
        let size = max(2, min(instance.servers.count, Self.partCells / max(1, window)))
        let groups = self.groups(of: size, sweep: sweep, using: &random)
        // Every second sweep starts half a window later, so that no border stays a border.
        var begin = sweep % 2 == 0 || window >= slots ? 0 : -window / 2
        var batches: [[Part]] = []
        while begin < slots {
            let range = max(0, begin)..<min(slots, begin + window)
            if !range.isEmpty { batches.append(groups.map { Part(members: $0, window: range) }) }
            begin += window
        }
        return batches
    }

    private func windowLength(_ sweep: Int) -> Int {
        let slots = instance.slots
        guard slots > 30 else { return slots }
        // Long horizons: whole fleets over a short time and few servers over a long time take turns.
        if instance.servers.count <= 12, sweep % 3 != 2 { return max(8, Self.partCells / instance.servers.count) }
        return sweep % 3 == 2 ? min(slots, 48) : 24
    }

    /// First the servers dealt out by mean intensity, so that each group spans the range; then at random.
    private func groups(of size: Int, sweep: Int, using random: inout SplitMix64) -> [[Int]] {
        let count = instance.servers.count
        let number = max(1, (count + size - 1) / size)
        var order = Array(0..<count)
        if sweep == 0 {
            let means = order.map { i in
                instance.carbon[(i * instance.slots)..<((i + 1) * instance.slots)].reduce(0, +)
            }
            order.sort { (means[$0], $0) < (means[$1], $1) }
        } else {
            order.shuffle(using: &random)
        }
        var groups = [[Int]](repeating: [], count: number)
        for (place, server) in order.enumerated() { groups[place % number].append(server) }
        return groups
    }

    private func work(
        _ batch: [Part], _ plan: Schedule, until limit: Double, sweep: Int, control: SolveControl?, stopwatch: Stopwatch
    ) throws(DETAError) -> Schedule {
        let fixedPlan = plan
        let results = try concurrently(batch.count, threads: planner.options.threads) {
            (number) throws(DETAError) -> Schedule? in
            let left = limit - stopwatch.seconds
            guard left > 0.1, control?.isStopped != true else { return nil }
            return try improved(batch[number], in: fixedPlan, sweep: sweep, seconds: min(left, 10))
        }
        var improvedPlan = plan
        for (part, result) in zip(batch, results) {
            if let result { improvedPlan.insert(result, at: part.members) }
        }
        return improvedPlan
    }

    /// The part's best plan with its exchange with the rest of the fleet kept; nil if none is better.
    private func improved(_ part: Part, in plan: Schedule, sweep: Int, seconds: Double) throws(DETAError) -> Schedule? {
        let piece = instance.subset(part.members)
        let now = plan.rows(part.members)
        let formulation = Formulation(piece, variant: variant, fleetRows: part.members.count == instance.servers.count)
        var model = formulation.model
        formulation.keepExchange(of: now, in: &model, efficiency: instance.trade.efficiency)
        for (place, awake) in now[.u].enumerated() where !part.window.contains(place % instance.slots) {
            let column = formulation.columns(.u, 0, 0) + place
            let flag = awake > 0.5 ? 1.0 : 0
            model.setBounds(column: column, lower: flag, upper: flag)
        }
        var options = planner.options.solverOptions(timeLeft: seconds)
        options.threads = 1
        options.relativeGap = max(planner.options.relativeGap, sweep == 0 ? 5e-3 : 1e-3)
        options.start = formulation.values(of: now)
        let result = try planner.solver.solve(model, options: options, control: nil)
        guard let values = result.values else { return nil }
        var found = Schedule(values, of: formulation)
        found.roundSleep()
        return found.objective(of: piece) < now.objective(of: piece) - 1e-9 ? found : nil
    }

    /// All flows anew with the sleep pattern as it is; nil if rounding left the pattern without a plan.
    private func jointly(_ plan: Schedule) throws(DETAError) -> Schedule? {
        let formulation = Formulation(instance, variant: variant, strengthen: false)
        let fixed = formulation.fixing(awake: plan[.u].map { $0 > 0.5 })
        var unhurried = planner
        unhurried.options.timeLimit = .infinity
        let result = try unhurried.solveModel(fixed, control: nil, stopwatch: Stopwatch())
        guard result.values != nil else { return nil }
        return planner.finish(result, formulation, stopwatch: Stopwatch()).schedule
    }
}

extension Schedule {
    /// Some servers' rows as a plan of their own.
    func rows(_ members: [Int]) -> Schedule {
        var part = Schedule(servers: members.count, slots: slots)
        for flow in Flow.allCases {
            part.flows[flow.rawValue] = members.flatMap {
                flows[flow.rawValue][($0 * slots)..<(($0 + 1) * slots)]
            }
        }
        return part
    }

    mutating func roundSleep() {
        for place in self[.u].indices { self[.u][place] = self[.u][place].rounded() }
    }
}

extension Formulation {
    /// Column values of a plan, as a start for a search. Helper columns are left to the solver.
    func values(of plan: Schedule) -> [Double] {
        var values = [Double](repeating: 0, count: model.columns)
        for flow in Flow.allCases where columns.has(flow) {
            let base = columns(flow, 0, 0)
            for (place, value) in plan[flow].enumerated() { values[base + place] = value }
        }
        return values
    }

    /// Binds the pools of a part to what it exchanges with the rest now.
    func keepExchange(of now: Schedule, in model: inout LinearModel, efficiency: Double) {
        func net(_ plus: Flow, _ minus: Flow, _ factor: Double, _ t: Int) -> Double {
            (0..<now.servers).reduce(0) { sum, i in
                sum + now[plus][i * now.slots + t] - factor * now[minus][i * now.slots + t]
            }
        }
        for (t, row) in energyPoolRows.enumerated() {
            let value = net(.imp, .exp, efficiency, t)
            model.setBounds(row: row, lower: value, upper: value)
        }
        for (t, row) in workPoolRows.enumerated() {
            let value = net(.out, .in_, 1, t)
            model.setBounds(row: row, lower: value, upper: value)
        }
    }
}
