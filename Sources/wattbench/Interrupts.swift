import Dispatch
import Foundation
import Synchronization

/// Ctrl-C and SIGTERM: the first asks politely, the second ends the process at once (GPIO lines fall to their pull).
final class Interrupts: Sendable {
    private struct State {
        var count = 0
        var action: (@Sendable () -> Void)?
        var sources: [any DispatchSourceSignal] = []
    }

    private let state = Mutex(State())

    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in self?.hear() }
            source.resume()
            state.withLock { $0.sources.append(source) }
        }
    }

    /// Called on the first interrupt, at once if it has come already.
    func onFirst(_ action: @escaping @Sendable () -> Void) {
        let due = state.withLock { state -> Bool in
            state.action = action
            return state.count > 0
        }
        if due { action() }
    }

    var happened: Bool { state.withLock { $0.count > 0 } }

    func end() {
        state.withLock { state in
            for source in state.sources { source.cancel() }
            state.sources = []
        }
    }

    private func hear() {
        let (count, action) = state.withLock { state -> (Int, (@Sendable () -> Void)?) in
            state.count += 1
            return (state.count, state.action)
        }
        if count > 1 {
            FileHandle.standardError.write(Data("\nwattbench: stopped at once\n".utf8))
            Foundation.exit(ExitStatus.interrupted.rawValue)
        }
        FileHandle.standardError.write(
            Data("\nwattbench: ending this step and leaving the boards safe; once more stops at once\n".utf8))
        action?()
    }
}
