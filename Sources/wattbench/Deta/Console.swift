import DETA
import Foundation
import Synchronization

/// What is told on stderr while a verb works.
enum Console {
    private static let isTerminal = isatty(STDERR_FILENO) == 1
    private static let lastReport = Mutex<Double>(-.infinity)

    static func note(_ text: String, transient: Bool = false) {
        if transient, !isTerminal { return }
        clear()
        FileHandle.standardError.write(Data((transient ? text : "wattbench: \(text)\n").utf8))
    }

    /// Bound, incumbent, gap and time; at most twice a second on a terminal, every 10 s in a log.
    static func progress(_ progress: SolveProgress, limit: Double) {
        let due = lastReport.withLock { last in
            let wait = isTerminal ? 0.5 : 10.0
            guard progress.seconds >= last + wait || progress.seconds < last else { return false }
            last = progress.seconds
            return true
        }
        guard due else { return }
        func figure(_ value: Double) -> String { value.isFinite ? String(format: "%.6g g", value) : "none" }
        var text = "\(progress.stage): incumbent \(figure(progress.incumbent)), bound \(figure(progress.bound))"
        if progress.incumbent.isFinite, progress.bound.isFinite, progress.incumbent > 0 {
            text += String(format: ", gap %.3f %%", 100 * (progress.incumbent - progress.bound) / progress.incumbent)
        }
        text += String(format: ", %.0f s of at most %.0f s", progress.seconds, limit)
        if isTerminal {
            clear()
            FileHandle.standardError.write(Data(text.utf8))
        } else {
            FileHandle.standardError.write(Data("wattbench: \(text)\n".utf8))
        }
    }

    static func clear() {
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}

/// Ctrl-C once asks to stop; twice ends the program at once with the documented exit code.
final class InterruptHandler {
    private static let presses = Atomic<Int>(0)
    private let source: any DispatchSourceSignal

    init(_ stop: @escaping @Sendable () -> Void) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            if Self.presses.add(1, ordering: .relaxed).newValue > 1 {
                Foundation.exit(ExitStatus.interrupted.rawValue)
            }
            stop()
        }
        source.resume()
    }

    func cancel() { source.cancel() }
}
