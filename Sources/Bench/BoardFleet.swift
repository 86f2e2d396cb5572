package import BoardControl
package import Campaign
package import Traces

/// Why the boards of a bench could not be wired up.
package enum FleetFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case unknownRole(board: String, role: String)
    case gpio(board: String, GPIOFailure)

    package var description: String {
        switch self {
        case .unknownRole(let board, let role):
            "bench.yaml: board '\(board)' has a line with the unknown role '\(role)'. Roles: "
                + LineRole.allCases.map(\.rawValue).joined(separator: ", ")
        case .gpio(let board, let failure): "board '\(board)': \(failure)"
        }
    }
}

/// The boards of a bench with their lines: hears power and hellos, and carries sleep and wake through to proof.
package struct BoardFleet: Sendable {
    private let controllers: [String: BoardController]
    private let boardOfMeter: [String: (name: String, sign: Double)]
    private let boardOfNode: [String: String]
    private let safeStates: [String: BenchFile.PowerState]
    private let lines: any GPIOLines

    /// Requests every line of the bench. - Throws: `FleetFailure`; nothing is held then.
    package init(
        bench: BenchFile, lines: any GPIOLines, note: @escaping @Sendable (RunEvent) -> Void
    ) throws(FleetFailure) {
        var controllers: [String: BoardController] = [:]
        for board in bench.boards {
            let requests = try Self.requests(for: board)
            do throws(GPIOFailure) {
                try lines.request(requests, consumer: "wattbench:\(bench.name)")
            } catch {
                lines.release()
                throw .gpio(board: board.name, error)
            }
            controllers[board.name] = BoardController(
                procedure: Self.procedure(for: board, pulses: bench.pulses), lines: lines,
                addresses: Dictionary(requests.map { ($0.role, $0.address) }, uniquingKeysWith: { first, _ in first }),
                note: note)
        }
        self.controllers = controllers
        self.lines = lines
        boardOfMeter = Dictionary(
            bench.boards.map { ($0.meter, ($0.name, Double($0.currentSign))) }, uniquingKeysWith: { first, _ in first })
        boardOfNode = Dictionary(bench.boards.map { ($0.node, $0.name) }, uniquingKeysWith: { first, _ in first })
        safeStates = Dictionary(bench.boards.map { ($0.name, $0.safeState) }, uniquingKeysWith: { first, _ in first })
    }

    package func hear(_ window: PowerWindows.Window) async {
        guard let (name, sign) = boardOfMeter[window.meter], let controller = controllers[name] else { return }
        await controller.hear(
            watts: sign * window.meanWatts, windowNanoseconds: window.lengthNanoseconds,
            atNanoseconds: window.endNanoseconds)
    }

    /// A node said hello at host time `now`.
    package func hello(fromNode node: String, atNanoseconds now: Int64) async {
        guard let name = boardOfNode[node] else { return }
        await controllers[name]?.hello(atNanoseconds: now)
    }

    package func tick(atNanoseconds now: Int64) async {
        for controller in controllers.values { await controller.tick(atNanoseconds: now) }
    }

    package func state(of board: String) async -> BoardState { await controllers[board]?.state ?? .unknown }

    package func sleep(_ board: String, atNanoseconds now: Int64) async throws(BoardFailure) -> BoardTransition {
        guard let controller = controllers[board] else { throw .notReached("the bench has no board '\(board)'") }
        return try await controller.sleep(atNanoseconds: now)
    }

    package func wake(_ board: String, atNanoseconds now: Int64) async throws(BoardFailure) -> BoardTransition {
        guard let controller = controllers[board] else { throw .notReached("the bench has no board '\(board)'") }
        return try await controller.wake(atNanoseconds: now)
    }

    /// Boards whose state is not the one that bench.yaml declares safe, with what to do about it.
    package func unsafeBoards() async -> [(board: String, mustWake: Bool)] {
        var found: [(String, Bool)] = []
        for (name, controller) in controllers.sorted(by: { $0.key < $1.key }) {
            let asleep = await controller.state.isAsleep
            if safeStates[name] == .on, asleep { found.append((name, true)) }
            if safeStates[name] != .on, !asleep { found.append((name, false)) }
        }
        return found
    }

    package func release() { lines.release() }

    // MARK: wiring

    static func requests(for board: BenchFile.Board) throws(FleetFailure) -> [LineRequest] {
        var requests: [LineRequest] = []
        for line in board.lines {
            guard let role = LineRole(rawValue: line.role) else {
                throw .unknownRole(board: board.name, role: line.role)
            }
            let mode: LineRequest.Mode =
                switch role {
                case .poweroffAcknowledge: .input(pullUp: false)
                case .supplySwitch: .pushPull
                case .globalEnable, .run, .gpio3Wake, .shutdownRequest: .openDrain
                }
            requests.append(
                LineRequest(
                    address: LineAddress(chip: line.chip, offset: line.offset), role: role, board: board.name,
                    mode: mode,
                    activeLow: line.activeLow))
        }
        return requests
    }

    static func procedure(for board: BenchFile.Board, pulses: BenchFile.Pulses) -> BoardProcedure {
        let roles = Set(board.lines.compactMap { LineRole(rawValue: $0.role) })
        let target: BoardState =
            switch board.sleepState {
            case .cut: .cut
            case .off: .off
            case .halt: .halt
            case .on: .ready
            }
        let wake: LineRole? =
            board.sleepState == .halt && roles.contains(.gpio3Wake)
            ? .gpio3Wake : [.globalEnable, .run].first { roles.contains($0) }
        let wakePulse = wake == .gpio3Wake ? pulses.gpio3WakeMilliseconds : pulses.globalEnableMilliseconds
        return BoardProcedure(
            board: board.name, target: target, hasShutdownRequest: roles.contains(.shutdownRequest), wakeRole: wake,
            hasSupplySwitch: roles.contains(.supplySwitch),
            shutdownPulseNanoseconds: Int64(pulses.shutdownRequestMilliseconds) * 1_000_000,
            wakePulseNanoseconds: Int64(wakePulse) * 1_000_000)
    }
}
