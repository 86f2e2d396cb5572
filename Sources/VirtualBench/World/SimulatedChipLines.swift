package import BoardControl
import Foundation
import Synchronization

/// A line of the kernel's `gpio-sim` that leads to a virtual board.
package struct SimulatedLine: Sendable, Equatable {
    package var board: String
    package var role: LineRole
    /// Folder with the files `value` and `pull`, such as `/sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio3`.
    package var folder: String

    /// - Parameter text: `BOARD:ROLE:FOLDER`, such as `pi01:global_en:/sys/…/sim_gpio3`.
    package init(parsing text: String) throws(VirtualBenchFailure) {
        let parts = text.split(separator: ":", maxSplits: 2).map(String.init)
        guard parts.count == 3, let role = LineRole(rawValue: parts[1]) else {
            throw .attach(
                "'\(text)' is no line: write BOARD:ROLE:FOLDER, ROLE one of "
                    + LineRole.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        board = parts[0]
        self.role = role
        folder = parts[2]
    }

    /// The board drives this line; the others it listens to.
    var isDrivenByBoard: Bool { role == .poweroffAcknowledge }
}

/// Lets the virtual boards follow real GPIO lines: watches what a program drives on `gpio-sim` lines, and drives those that
/// the board itself drives. A line nobody drives is held up by its pull, as the pads of a real board are.
package final class SimulatedChipLines: Sendable {
    private let world: VirtualWorld
    private let stopRequested = Mutex(false)
    private let finished = DispatchSemaphore(value: 0)
    /// Time between two looks: far below the shortest pulse that a board reacts to.
    private static let period: UInt32 = 1_000

    /// Starts watching. Lines of role `run` are watched and driven: a program may pull them low or read them.
    ///
    /// - Throws: `file` if a line's files cannot be used, `attach` for an unknown board.
    package init(bench: VirtualBench, lines: [SimulatedLine]) throws(VirtualBenchFailure) {
        world = bench.world
        var watched: [(line: SimulatedLine, board: Int, value: Int32)] = []
        let names = world.present { $0.boards.map(\.truth.name) }
        for line in lines {
            guard let board = names.firstIndex(of: line.board) else {
                throw .attach("There is no board '\(line.board)'. Boards: \(names.joined(separator: ", ")).")
            }
            let value = open("\(line.folder)/value", O_RDONLY | O_CLOEXEC)
            guard value >= 0 else {
                throw .file(path: "\(line.folder)/value", reason: errorText(errno))
            }
            try Self.pull(line, up: !line.isDrivenByBoard)
            watched.append((line, board, value))
        }
        let thread = Thread { [self, watched] in
            var last = watched.map { $0.line.isDrivenByBoard ? false : true }
            while !stopRequested.withLock({ $0 }) {
                for (index, watch) in watched.enumerated() { look(at: watch, last: &last[index]) }
                usleep(Self.period)
            }
            for watch in watched { close(watch.value) }
            finished.signal()
        }
        thread.name = "gpio-sim"
        thread.start()
    }

    package func stop() {
        let wasRunning = stopRequested.withLock { stop -> Bool in
            defer { stop = true }
            return !stop
        }
        if wasRunning { finished.wait() }
    }

    private func look(at watch: (line: SimulatedLine, board: Int, value: Int32), last: inout Bool) {
        if watch.line.isDrivenByBoard {
            let level = world.present { $0.boards[watch.board].poweroffAcknowledged(at: $0.now) }
            if level != last { try? Self.pull(watch.line, up: level) }
            last = level
            return
        }
        if watch.line.role == .run {
            let rail = world.present { $0.boards[watch.board].state.railIsUp }
            // A dead rail reads low although nobody pulls: it must not be taken for a reset.
            try? Self.pull(watch.line, up: rail || world.present { $0.boards[watch.board].state == .held })
            if !rail, world.present({ $0.boards[watch.board].state != .held }) { return }
        }
        var byte: UInt8 = 0
        guard pread(watch.value, &byte, 1, 0) == 1 else { return }
        let high = byte == UInt8(ascii: "1")
        guard high != last else { return }
        last = high
        world.present { state in
            if watch.line.role == .supplySwitch {
                state.boards[watch.board].connectSupply(high, at: state.now)
            } else {
                state.boards[watch.board].apply(watch.line.role, asserted: !high, at: state.now)
            }
            state.followTransitions()
        }
        world.notify()
    }

    private static func pull(_ line: SimulatedLine, up: Bool) throws(VirtualBenchFailure) {
        let path = "\(line.folder)/pull"
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw .file(path: path, reason: errorText(errno)) }
        defer { close(file) }
        let text = Array((up ? "pull-up" : "pull-down").utf8)
        guard write(file, text, text.count) == text.count else { throw .file(path: path, reason: errorText(errno)) }
    }
}
