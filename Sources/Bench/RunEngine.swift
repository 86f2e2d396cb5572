package import BoardControl
package import Campaign
package import Traces

/// What makes the boards work: on a real bench a command that starts the workload, on the virtual bench its nodes.
package protocol Workload: Sendable {
    /// Carries out a stage's load on all nodes and returns when they have finished it.
    func perform(_ stage: Stage, number: Int) async throws
}

/// Progress of a run, for people.
package struct RunProgress: Sendable, Equatable {
    package var stage: Int
    package var stages: Int
    package var name: String
    package var elapsedSeconds: Double
    package var plannedSeconds: Double
    package var remainingSeconds: Double { max(0, plannedSeconds - elapsedSeconds) }
}

/// What came of a run.
package struct RunOutcome: Sendable, Equatable {
    package var transitions: [BoardTransition] = []
    /// One sentence each; empty = everything was done as planned.
    package var failures: [String] = []
}

/// Leads one run through its stages; whatever ends it, boards are brought to their safe state.
package struct RunEngine: Sendable {
    package var stages: [Stage]
    package var boards: [String]
    package var fleet: BoardFleet
    package var workload: any Workload
    /// Host clock, ns.
    package var now: @Sendable () -> Int64
    package var note: @Sendable (RunEvent) -> Void
    package var progress: @Sendable (RunProgress) -> Void

    package init(
        stages: [Stage], boards: [String], fleet: BoardFleet, workload: any Workload,
        now: @escaping @Sendable () -> Int64,
        note: @escaping @Sendable (RunEvent) -> Void, progress: @escaping @Sendable (RunProgress) -> Void
    ) {
        self.stages = stages
        self.boards = boards
        self.fleet = fleet
        self.workload = workload
        self.now = now
        self.note = note
        self.progress = progress
    }

    /// Runs every stage. - Throws: `CancellationError` after the boards are safe, or what the workload threw.
    package func run() async throws -> RunOutcome {
        var outcome = RunOutcome()
        let ticking = Task { [fleet, now] in
            while !Task.isCancelled {
                await fleet.tick(atNanoseconds: now())
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        defer { ticking.cancel() }
        let begin = now()
        do {
            for (index, stage) in stages.enumerated() {
                tell(index, begin)
                log(.info, "stage_begin", "stage \(index + 1) of \(stages.count): \(stage.name)")
                try await perform(stage, index, begin, &outcome)
                log(.info, "stage_end", "stage \(index + 1) of \(stages.count): \(stage.name)")
                try Task.checkCancellation()
            }
        } catch {
            log(.warning, "run_ended_early", "\(error)")
            // A cancelled task cannot wait any more: the boards are made safe in one that is not.
            outcome = await Task { [outcome] in await makeSafe(outcome) }.value
            throw error
        }
        return await makeSafe(outcome)
    }

    private func perform(_ stage: Stage, _ index: Int, _ begin: Int64, _ outcome: inout RunOutcome) async throws {
        switch stage {
        case .baseline(let seconds): try await pause(seconds, index, begin)
        case .steps, .workload:
            let reporting = Task {
                while !Task.isCancelled {
                    tell(index, begin)
                    try? await Task.sleep(for: .seconds(1))
                }
            }
            defer { reporting.cancel() }
            try await workload.perform(stage, number: index)
        case .sleep(let plan):
            let sleepers = plan.boards.isEmpty ? boards : plan.boards
            await transitions(of: sleepers, waking: false, &outcome)
            try await pause(plan.holdSeconds, index, begin)
            await transitions(of: sleepers, waking: true, &outcome)
        }
    }

    private func transitions(of boards: [String], waking: Bool, _ outcome: inout RunOutcome) async {
        typealias Answer = (board: String, result: Result<BoardTransition, BoardFailure>)
        let answers = await withTaskGroup(of: Answer.self, returning: [Answer].self) { group in
            for board in boards {
                group.addTask {
                    do throws(BoardFailure) {
                        let moved =
                            waking
                            ? try await fleet.wake(board, atNanoseconds: now())
                            : try await fleet.sleep(board, atNanoseconds: now())
                        return (board, .success(moved))
                    } catch {
                        return (board, .failure(error))
                    }
                }
            }
            var all: [Answer] = []
            for await answer in group { all.append(answer) }
            return all
        }
        for (board, result) in answers.sorted(by: { $0.board < $1.board }) {
            switch result {
            case .success(let transition):
                outcome.transitions.append(transition)
                note(transition.event)
            case .failure(let failure):
                outcome.failures.append("\(failure)")
                note(
                    RunEvent(
                        atNanoseconds: now(), severity: .error, source: board, kind: "board_failed", text: "\(failure)")
                )
            }
        }
    }

    private func makeSafe(_ outcome: RunOutcome) async -> RunOutcome {
        var outcome = outcome
        let due = await fleet.unsafeBoards()
        await transitions(of: due.filter(\.mustWake).map(\.board), waking: true, &outcome)
        await transitions(of: due.filter { !$0.mustWake }.map(\.board), waking: false, &outcome)
        return outcome
    }

    private func pause(_ seconds: Double, _ index: Int, _ begin: Int64) async throws {
        let end = now() + Int64(seconds * 1e9)
        while now() < end {
            tell(index, begin)
            try await Task.sleep(for: .nanoseconds(min(end - now(), 1_000_000_000)))
        }
    }

    private func tell(_ index: Int, _ begin: Int64) {
        progress(
            RunProgress(
                stage: index + 1, stages: stages.count, name: stages[index].name,
                elapsedSeconds: Double(now() - begin) * 1e-9,
                plannedSeconds: stages.map(\.plannedSeconds).reduce(0, +)))
    }

    private func log(_ severity: RunEvent.Severity, _ kind: String, _ text: String) {
        note(RunEvent(atNanoseconds: now(), severity: severity, source: "run", kind: kind, text: text))
    }
}

extension BoardTransition {
    /// The transition as an event of the run file; the text is `key=value` pairs so that programs can read it back.
    package var event: RunEvent {
        let rail = railAtNanoseconds.map { " rail_ns=\($0)" } ?? ""
        return RunEvent(
            atNanoseconds: arrivedAtNanoseconds, severity: .info, source: board, kind: "board_state",
            text: "from=\(from.rawValue) to=\(to.rawValue) commanded_ns=\(commandedAtNanoseconds)\(rail) "
                + "arrived_ns=\(arrivedAtNanoseconds) energy_j=\(energyJoules) plateau_w=\(plateauWatts) attempts=\(attempts)"
        )
    }
}
