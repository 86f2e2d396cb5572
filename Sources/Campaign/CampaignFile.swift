/// `campaign.yaml`: what is measured, in which order, within which limits.
package struct CampaignFile: Sendable, Equatable {
    /// Values at which a run is stopped and the boards are left in their safe state.
    package struct Limits: Sendable, Equatable {
        package var socTemperatureCelsius: Double
        package var currentAmperes: Double
    }

    package var name: String
    package var seed: UInt64
    package var repeats: Int
    package var limits: Limits
    package var stages: [Stage]

    /// Planned length of all runs, s.
    package var plannedSeconds: Double { Double(repeats) * stages.map(\.plannedSeconds).reduce(0, +) }
}

extension CampaignFile {
    /// Reads and checks a campaign file. - Throws: `SettingsError` naming file, line and key.
    package init(yaml text: String, file: String) throws(SettingsError) {
        var root = try SettingsNode(text: text, file: file)
        let format = try root.int("wattbench", in: 0...Int.max)
        guard format == 1 else { throw root.failure("wattbench", "is format \(format); this version reads format 1") }
        name = try root.string("name")
        seed = UInt64(try root.int("seed", in: 0...Int.max, default: 1))
        repeats = try root.int("repeats", in: 1...10_000, default: 1)
        limits = Limits(socTemperatureCelsius: 80, currentAmperes: 3)
        if var node = try root.child("limits") {
            limits.socTemperatureCelsius = try node.double("soc_temp_c", in: 20...85, default: 80)
            limits.currentAmperes = try node.double("current_a", in: 0.1...5, default: 3)
            try node.finish()
        }
        stages = []
        for var node in try root.children("stages") {
            stages.append(try Self.stage(&node))
            try node.finish()
        }
        try root.finish()
        guard !stages.isEmpty else { throw root.failure("stages", "is missing: a campaign has at least one stage") }
    }

    private enum Kind: String, CaseIterable { case baseline, steps, sleep, workload }

    private static func stage(_ node: inout SettingsNode) throws(SettingsError) -> Stage {
        let kind: Kind = try node.choice("kind")
        switch kind {
        case .baseline: return .baseline(seconds: try node.double("seconds", in: 1...86_400))
        case .steps: return .steps(try steps(&node))
        case .sleep:
            return .sleep(
                SleepPlan(
                    holdSeconds: try node.double("hold_s", in: 3...864_000),
                    allowanceSeconds: try node.double("allowance_s", in: 0...3600, default: 60),
                    boards: try node.strings("boards") ?? []))
        case .workload:
            var plan = WorkloadPlan(
                rounds: try node.int("rounds", in: 1...1_000_000),
                roundSeconds: try node.double("round_s", in: 1...864_000),
                batchesPerRound: [], command: try node.optionalString("command"))
            for text in try node.strings("batches_per_round") ?? ["20", "40", "80"] {
                guard let count = Int(text), count > 0 else {
                    throw node.failure("batches_per_round", "'\(text)' is not a positive whole number")
                }
                plan.batchesPerRound.append(count)
            }
            guard !plan.batchesPerRound.isEmpty else { throw node.failure("batches_per_round", "is empty") }
            return .workload(plan)
        }
    }

    private static func steps(_ node: inout SettingsNode) throws(SettingsError) -> StepPlan {
        var plan = StepPlan(
            stepSeconds: try node.double("step_s", in: 1...3600),
            settleSeconds: try node.double("settle_s", in: 0...600, default: 2),
            points: [], command: try node.optionalString("command"))
        guard plan.settleSeconds < plan.stepSeconds else {
            throw node.failure("settle_s", "leaves nothing of the step")
        }
        for var point in try node.children("points") {
            plan.points.append(
                .init(
                    frequencyMHz: try point.double("f_mhz", in: 100...2500),
                    cores: try point.double("cores", in: 0...4),
                    transmitMbitPerSecond: try point.double("tx_mbit_s", in: 0...1000, default: 0),
                    receiveMbitPerSecond: try point.double("rx_mbit_s", in: 0...1000, default: 0)))
            try point.finish()
        }
        guard !plan.points.isEmpty else {
            throw node.failure("points", "is missing: a step plan has at least one point")
        }
        return plan
    }
}

extension CampaignFile {
    /// Checks the campaign against the bench it is to run on. - Returns: one sentence per mismatch; empty = ready.
    package func mismatches(with bench: BenchFile) -> [String] {
        let names = Set(bench.boards.map(\.name))
        return stages.enumerated().flatMap { index, stage -> [String] in
            guard case .sleep(let plan) = stage else { return [] }
            let unknown = plan.boards.filter { !names.contains($0) }
                .map { "stages[\(index)]: bench '\(bench.name)' has no board '\($0)'" }
            let sleepers = bench.boards.filter { plan.boards.isEmpty || plan.boards.contains($0.name) }
            let unwired = sleepers.filter { board in !Self.canSleepAndWake(board) }
                .map {
                    "stages[\(index)]: board '\($0.name)' has no lines to sleep ('\($0.sleepState.rawValue)') and wake"
                }
            return unknown + unwired
        }
    }

    private static func canSleepAndWake(_ board: BenchFile.Board) -> Bool {
        let roles = Set(board.lines.map(\.role))
        return switch board.sleepState {
        case .cut: roles.contains("supply_switch")
        case .off: roles.contains("shutdown_request") && roles.contains("global_en")
        case .halt: roles.contains("shutdown_request") && !roles.isDisjoint(with: ["gpio3_wake", "global_en", "run"])
        case .on: false
        }
    }
}
