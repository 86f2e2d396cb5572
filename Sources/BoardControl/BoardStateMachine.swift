package import Traces

/// How one board is put to sleep and woken: what the wiring offers and how long each step may take.
package struct BoardProcedure: Sendable, Equatable {
    package var board: String
    package var target: BoardState
    package var hasShutdownRequest: Bool
    package var wakeRole: LineRole?
    package var hasSupplySwitch: Bool
    package var shutdownPulseNanoseconds: Int64
    package var wakePulseNanoseconds: Int64
    /// Time that power must stay on the plateau before a sleep state counts as proved.
    package var plateauHoldNanoseconds: Int64 = 2_000_000_000
    package var shutdownLimitNanoseconds: Int64 = 60_000_000_000
    package var bootLimitNanoseconds: Int64 = 120_000_000_000
    /// Off time of the rescue power cycle.
    package var powerCycleNanoseconds: Int64 = 5_000_000_000
    /// Wake attempts before the power-cycle rescue.
    package var wakeAttempts: Int = 3
    package var limits = PlateauLimits()

    package init(
        board: String, target: BoardState, hasShutdownRequest: Bool, wakeRole: LineRole?, hasSupplySwitch: Bool,
        shutdownPulseNanoseconds: Int64, wakePulseNanoseconds: Int64
    ) {
        self.board = board
        self.target = target
        self.hasShutdownRequest = hasShutdownRequest
        self.wakeRole = wakeRole
        self.hasSupplySwitch = hasSupplySwitch
        self.shutdownPulseNanoseconds = shutdownPulseNanoseconds
        self.wakePulseNanoseconds = wakePulseNanoseconds
    }
}

/// The life of one board between idle, sleep and ready. Pure: it hears commands, power and readiness, and answers with
/// what to do to the lines; every state it reports was seen in the trace.
package struct BoardStateMachine: Sendable {
    package enum Event: Sendable, Equatable {
        case sleep
        case wake
        /// Mean power over a short window (0.1 to 0.5 s) that ended now.
        case power(watts: Double, windowNanoseconds: Int64)
        /// The node on the board said hello: software is up.
        case nodeReady
        /// Time passed; deadlines are judged.
        case tick
    }

    package enum Action: Sendable, Equatable {
        case assert(LineRole)
        case release(LineRole)
        case report(RunEvent)
        case arrived(BoardTransition)
        /// The board did not do what was asked; what was seen is in the text. A person must look.
        case failed(String)
    }

    private enum Step: Sendable, Equatable {
        case resting
        case pulsing(LineRole, until: Int64, then: Goal)
        case awaiting(Goal, until: Int64)
        case powerCycling(until: Int64)
    }

    private enum Goal: Sendable, Equatable {
        case asleep
        case ready
    }

    package private(set) var state: BoardState = .unknown
    private let procedure: BoardProcedure
    private var step = Step.resting
    private var commandedAt: Int64 = 0
    private var cameFrom = BoardState.unknown
    private var railAt: Int64?
    private var energyJoules = 0.0
    private var attempts = 0
    private var rescued = false
    private var sleepPlateauWatts = 0.0
    private var lastWatts = Double.nan
    /// Window means since power settled: when it began, lowest and highest.
    private var plateau: (since: Int64, low: Double, high: Double, sum: Double, count: Int)?

    package init(procedure: BoardProcedure) { self.procedure = procedure }

    package mutating func handle(_ event: Event, atNanoseconds now: Int64) -> [Action] {
        switch event {
        case .sleep: return beginSleep(now)
        case .wake: return beginWake(now)
        case .power(let watts, let window): return hear(watts, window, now) + judge(now)
        case .nodeReady: return becomeReady(now)
        case .tick: return judge(now)
        }
    }

    // MARK: commands

    private mutating func beginSleep(_ now: Int64) -> [Action] {
        guard step == .resting else { return [report(now, .warning, "busy", "is busy with another transition")] }
        start(now)
        state = .shuttingDown
        if procedure.hasShutdownRequest {
            return pulse(.shutdownRequest, procedure.shutdownPulseNanoseconds, .asleep, now)
        }
        guard procedure.target == .cut, procedure.hasSupplySwitch else {
            step = .resting
            return [.failed("\(procedure.board) has no line that can start a shutdown; wire shutdown_request")]
        }
        step = .awaiting(.asleep, until: now + procedure.shutdownLimitNanoseconds)
        return [.release(.supplySwitch)]
    }

    private mutating func beginWake(_ now: Int64) -> [Action] {
        guard step == .resting else { return [report(now, .warning, "busy", "is busy with another transition")] }
        start(now)
        state = .booting
        return tryWake(now)
    }

    private mutating func start(_ now: Int64) {
        commandedAt = now
        cameFrom = state
        railAt = nil
        energyJoules = 0
        attempts = 0
        rescued = false
        plateau = nil
    }

    private mutating func tryWake(_ now: Int64) -> [Action] {
        attempts += 1
        if cameFrom == .cut, procedure.hasSupplySwitch {
            step = .awaiting(.ready, until: now + procedure.bootLimitNanoseconds)
            return [.assert(.supplySwitch)]
        }
        guard let role = procedure.wakeRole else {
            step = .resting
            return [.failed("\(procedure.board) has no line that can wake it; wire global_en, run or gpio3_wake")]
        }
        return pulse(role, procedure.wakePulseNanoseconds, .ready, now)
    }

    private mutating func pulse(_ role: LineRole, _ length: Int64, _ goal: Goal, _ now: Int64) -> [Action] {
        step = .pulsing(role, until: now + length, then: goal)
        return [.assert(role)]
    }

    // MARK: what the trace says

    private mutating func hear(_ watts: Double, _ window: Int64, _ now: Int64) -> [Action] {
        lastWatts = watts
        if step != .resting { energyJoules += watts * Double(window) * 1e-9 }
        let since = plateau?.since ?? (now - window)
        let low = min(plateau?.low ?? watts, watts)
        let high = max(plateau?.high ?? watts, watts)
        if high - low > max(procedure.limits.spreadWatts, 0.03 * low) {
            plateau = (now - window, watts, watts, watts, 1)
        } else {
            plateau = (since, low, high, (plateau?.sum ?? 0) + watts, (plateau?.count ?? 0) + 1)
        }
        if case .awaiting(.ready, _) = step, railAt == nil,
            watts > sleepPlateauWatts + procedure.limits.railRiseWatts
        {
            railAt = now - window
        }
        return []
    }

    private mutating func becomeReady(_ now: Int64) -> [Action] {
        switch step {
        case .resting:
            if state == .unknown { state = .ready }
            return []
        case .awaiting(.ready, _):
            // Software can only be up on a board that draws power: a stale hello proves nothing.
            guard railAt != nil else {
                return [report(now, .warning, "hello_without_power", "said hello while its power shows it asleep")]
            }
            return arrive(.ready, lastWatts, now)
        default: return []
        }
    }

    private mutating func judge(_ now: Int64) -> [Action] {
        switch step {
        case .resting: return []
        case .pulsing(let role, let until, let goal):
            guard now >= until else { return [] }
            let limit = goal == .asleep ? procedure.shutdownLimitNanoseconds : procedure.bootLimitNanoseconds
            step = .awaiting(goal, until: now + limit)
            plateau = nil
            return [.release(role)]
        case .awaiting(.asleep, let until): return judgeSleep(until, now)
        case .awaiting(.ready, let until):
            guard now >= until else { return [] }
            return retryWake(now)
        case .powerCycling(let until):
            guard now >= until else { return [] }
            step = .awaiting(.ready, until: now + procedure.bootLimitNanoseconds)
            return [.assert(.supplySwitch)]
        }
    }

    private mutating func judgeSleep(_ until: Int64, _ now: Int64) -> [Action] {
        if let plateau, now - plateau.since >= procedure.plateauHoldNanoseconds {
            let mean = plateau.sum / Double(plateau.count)
            if procedure.limits.proves(procedure.target, meanWatts: mean) { return arrive(procedure.target, mean, now) }
        }
        guard now >= until else { return [] }
        step = .resting
        let seen = plateau.map { $0.sum / Double($0.count) } ?? lastWatts
        state = procedure.limits.sleepState(ofMeanWatts: seen) ?? .unknown
        let found = state == .unknown ? "no sleep plateau" : "a plateau of state '\(state.rawValue)'"
        return [
            .failed(
                "\(procedure.board) was told to sleep ('\(procedure.target.rawValue)') but the meter shows \(found) at "
                    + "\(milliwatts(seen)) mW. Check WAKE_ON_GPIO, POWER_OFF_ON_HALT and the shutdown line.")
        ]
    }

    private mutating func retryWake(_ now: Int64) -> [Action] {
        let note = report(
            now, .warning, "wake_failed",
            "did not become ready (attempt \(attempts), \(milliwatts(lastWatts)) mW at the meter)")
        if attempts < procedure.wakeAttempts, !rescued { return [note] + tryWake(now) }
        if procedure.hasSupplySwitch, !rescued {
            rescued = true
            attempts += 1
            step = .powerCycling(until: now + procedure.powerCycleNanoseconds)
            return [note, report(now, .warning, "power_cycle", "is power-cycled as a rescue"), .release(.supplySwitch)]
        }
        step = .resting
        state = .unknown
        return [
            note,
            .failed("\(procedure.board) did not wake after \(attempts) attempts. Check its wake line and its supply."),
        ]
    }

    private mutating func arrive(_ reached: BoardState, _ watts: Double, _ now: Int64) -> [Action] {
        let transition = BoardTransition(
            board: procedure.board, from: cameFrom, to: reached, commandedAtNanoseconds: commandedAt,
            railAtNanoseconds: railAt, arrivedAtNanoseconds: reached == .ready ? now : plateau?.since ?? now,
            energyJoules: energyJoules, plateauWatts: watts, attempts: max(attempts, 1))
        state = reached
        step = .resting
        if reached.isAsleep { sleepPlateauWatts = watts }
        return [.arrived(transition)]
    }

    private func report(_ now: Int64, _ severity: RunEvent.Severity, _ kind: String, _ text: String) -> Action {
        .report(
            RunEvent(
                atNanoseconds: now, severity: severity, source: procedure.board, kind: kind,
                text: "\(procedure.board) \(text)"))
    }

    private func milliwatts(_ watts: Double) -> String {
        watts.isFinite ? "\(Int((watts * 1000).rounded()))" : "unknown"
    }
}
