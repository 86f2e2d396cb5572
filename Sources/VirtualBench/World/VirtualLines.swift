package import BoardControl
import Synchronization

/// GPIO lines that act on the virtual boards, in process. Any chip and offset will do: the board's name and the role of a
/// line say where it leads.
package final class VirtualLines: GPIOLines {
    private struct Held: Sendable {
        var request: LineRequest
        var board: Int
        var asserted = false
        var consumer: String
    }

    private let world: VirtualWorld
    private let boardNames: [String]
    private let held = Mutex<[LineAddress: Held]>([:])

    package init(world: VirtualWorld) {
        self.world = world
        boardNames = world.present { $0.boards.map(\.truth.name) }
    }

    package func request(_ lines: [LineRequest], consumer: String) throws(GPIOFailure) {
        for line in lines {
            guard boardNames.contains(line.board) else { throw .lineNotFound(line.address) }
            if line.role.mustBeOpenDrain, line.mode == .pushPull { throw .wouldBackFeed(line.address, line.role) }
        }
        let busy = held.withLock { held -> (LineAddress, String)? in
            for line in lines {
                if let other = held[line.address] { return (line.address, other.consumer) }
            }
            for line in lines {
                guard let board = boardNames.firstIndex(of: line.board) else { continue }
                held[line.address] = Held(request: line, board: board, consumer: consumer)
            }
            return nil
        }
        if let (address, holder) = busy { throw .lineBusy(address, holder: holder) }
        for line in lines { act(line, asserted: false) }
    }

    package func set(_ address: LineAddress, asserted: Bool) throws(GPIOFailure) {
        let request = held.withLock { held -> LineRequest? in
            held[address]?.asserted = asserted
            return held[address]?.request
        }
        guard let request else { throw .notRequested(address) }
        act(request, asserted: asserted)
    }

    package func isAsserted(_ address: LineAddress) throws(GPIOFailure) -> Bool {
        guard let line = held.withLock({ $0[address] }) else { throw .notRequested(address) }
        guard case .input = line.request.mode else { return line.asserted }
        let high = world.present { state -> Bool in
            state.boards[line.board].advance(to: state.now)
            let board = state.boards[line.board]
            return switch line.request.role {
            case .run: board.runIsHigh
            case .poweroffAcknowledge: board.poweroffAcknowledged(at: state.now)
            default: board.state != .cut
            }
        }
        return high != line.request.activeLow
    }

    package func release() {
        let lines = held.withLock { held -> [LineRequest] in
            defer { held = [:] }
            return held.values.map(\.request)
        }
        for line in lines {
            // Open-drain lines float up; a supply relay falls back to its resting contact, which connects.
            act(line, asserted: line.role == .supplySwitch)
        }
    }

    private func act(_ line: LineRequest, asserted: Bool) {
        if case .input = line.mode { return }
        world.present { state in
            guard let b = state.boards.firstIndex(where: { $0.truth.name == line.board }) else { return }
            if line.role == .supplySwitch {
                state.boards[b].connectSupply(asserted, at: state.now)
            } else {
                // What acts is the low level; an output whose active level is high would pull low when released.
                state.boards[b].apply(line.role, asserted: asserted == line.activeLow, at: state.now)
            }
            state.followTransitions()
        }
        world.notify()
    }
}
