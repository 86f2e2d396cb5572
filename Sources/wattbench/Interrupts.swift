import Dispatch
import Foundation
import Synchronization

/// Ctrl-C and SIGTERM: the first asks politely, the second ends the process at once (GPIO lines fall to their pull).
final class Interrupts: Sendable {
    private let state = Mutex<(count: Int, action: (@Sendable () -> Void)?)>((0, nil))
    private let stop: @Sendable () -> Void

    init() {
        let (heard, hearing) = AsyncStream.makeStream(of: Void.self)
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            // The handler keeps its source alive until the stream ends.
            source.setEventHandler { if case .terminated = hearing.yield() { source.cancel() } }
            source.resume()
        }
        stop = { hearing.finish() }
        Task { [weak self] in for await _ in heard { self?.hear() } }
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

    func end() { stop() }

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
