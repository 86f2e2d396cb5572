/// One part of a run, done by all boards together.
package enum Stage: Sendable, Equatable {
    /// Boards idle; the reference for net energy.
    case baseline(seconds: Double)
    /// Every board holds one load point after another; the input of the dynamic power model.
    case steps(StepPlan)
    /// Boards are put to sleep, stay on the plateau, and are woken; the input of the static model and of transitions.
    case sleep(SleepPlan)
    /// Federated learning.
    case workload(WorkloadPlan)

    package var name: String {
        switch self {
        case .baseline: "baseline"
        case .steps: "steps"
        case .sleep: "sleep"
        case .workload: "workload"
        }
    }

    /// Planned length, s; a workload's is its time limit per round.
    package var plannedSeconds: Double {
        switch self {
        case .baseline(let seconds): seconds
        case .steps(let plan): plan.stepSeconds * Double(plan.points.count)
        case .sleep(let plan): plan.holdSeconds + plan.allowanceSeconds
        case .workload(let plan): plan.roundSeconds * Double(plan.rounds)
        }
    }
}

/// Load points and how long each is held.
package struct StepPlan: Sendable, Equatable {
    package struct Point: Sendable, Equatable {
        package var frequencyMHz: Double
        /// Sum of core utilisations, 0 to 4.
        package var cores: Double
        package var transmitMbitPerSecond: Double
        package var receiveMbitPerSecond: Double

        package init(
            frequencyMHz: Double, cores: Double, transmitMbitPerSecond: Double = 0, receiveMbitPerSecond: Double = 0
        ) {
            self.frequencyMHz = frequencyMHz
            self.cores = cores
            self.transmitMbitPerSecond = transmitMbitPerSecond
            self.receiveMbitPerSecond = receiveMbitPerSecond
        }
    }

    package var stepSeconds: Double
    /// Start of each step that is left out of its mean, s.
    package var settleSeconds: Double
    package var points: [Point]
    /// Command that makes the nodes hold the points on a real bench.
    package var command: String?
}

/// Which boards sleep and how long the plateau is held.
package struct SleepPlan: Sendable, Equatable {
    package var holdSeconds: Double
    /// Planned time for going down and coming up, s; only for the estimate of the run's length.
    package var allowanceSeconds: Double
    /// Names of boards; empty = all.
    package var boards: [String]

    package init(holdSeconds: Double, allowanceSeconds: Double, boards: [String]) {
        self.holdSeconds = holdSeconds
        self.allowanceSeconds = allowanceSeconds
        self.boards = boards
    }
}

/// The federated-learning part of a run.
package struct WorkloadPlan: Sendable, Equatable {
    package var rounds: Int
    /// Expected length of one round, s.
    package var roundSeconds: Double
    /// Mini-batches per round and board, cycled over the rounds: three levels separate start-up from batch energy.
    package var batchesPerRound: [Int]
    /// Command that starts the workload on a real bench; markers say when it ends.
    package var command: String?

    package init(rounds: Int, roundSeconds: Double, batchesPerRound: [Int], command: String?) {
        self.rounds = rounds
        self.roundSeconds = roundSeconds
        self.batchesPerRound = batchesPerRound
        self.command = command
    }
}
