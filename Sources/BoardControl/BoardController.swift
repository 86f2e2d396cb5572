package import Traces

/// Why a board did not reach the state that was asked for.
package enum BoardFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The trace shows something else; the sentence says what.
    case notReached(String)
    case line(GPIOFailure)
    /// The board is still busy with the command before.
    case busy(String)

    package var description: String {
        switch self {
        case .notReached(let text): text
        case .line(let failure): failure.description
        case .busy(let board): "\(board) is still busy with the command before"
        }
    }
}

/// Carries out what one board's state machine asks for, on its GPIO lines.
///
/// Time comes from the caller with every call (host CLOCK_MONOTONIC, ns), so a virtual clock drives it as well.
package actor BoardController {
    package nonisolated let board: String
    private var machine: BoardStateMachine
    private let lines: any GPIOLines
    private let addresses: [LineRole: LineAddress]
    private let note: @Sendable (RunEvent) -> Void
    private var waiting: CheckedContinuation<Result<BoardTransition, BoardFailure>, Never>?

    /// - Parameters:
    ///   - addresses: the board's lines, already requested from `lines`.
    ///   - note: hears every event of the machine, for the run file.
    package init(
        procedure: BoardProcedure, lines: any GPIOLines, addresses: [LineRole: LineAddress],
        note: @escaping @Sendable (RunEvent) -> Void
    ) {
        board = procedure.board
        machine = BoardStateMachine(procedure: procedure)
        self.lines = lines
        self.addresses = addresses
        self.note = note
    }

    package var state: BoardState { machine.state }

    /// Puts the board to sleep; returns when the trace has proved it.
    package func sleep(atNanoseconds now: Int64) async throws(BoardFailure) -> BoardTransition {
        try await command(.sleep, now)
    }

    /// Wakes the board; returns when it draws power and its node has said hello.
    package func wake(atNanoseconds now: Int64) async throws(BoardFailure) -> BoardTransition {
        try await command(.wake, now)
    }

    /// Mean power of a window that ended at `now`, W.
    package func hear(watts: Double, windowNanoseconds: Int64, atNanoseconds now: Int64) {
        perform(machine.handle(.power(watts: watts, windowNanoseconds: windowNanoseconds), atNanoseconds: now))
    }

    /// The node on the board said hello.
    package func hello(atNanoseconds now: Int64) { perform(machine.handle(.nodeReady, atNanoseconds: now)) }

    /// Lets deadlines pass: pulses end with this, so call it every few milliseconds while a transition runs.
    package func tick(atNanoseconds now: Int64) { perform(machine.handle(.tick, atNanoseconds: now)) }

    private func command(_ event: BoardStateMachine.Event, _ now: Int64) async throws(BoardFailure) -> BoardTransition {
        guard waiting == nil else { throw .busy(board) }
        let result = await withCheckedContinuation { continuation in
            waiting = continuation
            perform(machine.handle(event, atNanoseconds: now))
        }
        return try result.get()
    }

    private func perform(_ actions: [BoardStateMachine.Action]) {
        for action in actions {
            switch action {
            case .assert(let role): drive(role, true)
            case .release(let role): drive(role, false)
            case .report(let event): note(event)
            case .arrived(let transition): finish(.success(transition))
            case .failed(let text): finish(.failure(.notReached(text)))
            }
        }
    }

    private func drive(_ role: LineRole, _ asserted: Bool) {
        guard let address = addresses[role] else {
            finish(.failure(.notReached("\(board) has no line '\(role.rawValue)' in bench.yaml")))
            return
        }
        do throws(GPIOFailure) {
            try lines.set(address, asserted: asserted)
        } catch {
            finish(.failure(.line(error)))
        }
    }

    private func finish(_ result: Result<BoardTransition, BoardFailure>) {
        waiting?.resume(returning: result)
        waiting = nil
    }
}
