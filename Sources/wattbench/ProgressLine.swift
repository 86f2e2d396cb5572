import Foundation
import Synchronization

/// One line on stderr that is rewritten on a terminal and repeated sparingly elsewhere.
final class ProgressLine: Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let last = Mutex<(ContinuousClock.Instant, String)?>(nil)

    /// Shows the text; off a terminal at most every ten seconds, or when `always`.
    func show(_ text: String, always: Bool = false) {
        let due = last.withLock { last -> Bool in
            if isTerminal || always { return true }
            if let (time, _) = last, ContinuousClock.now - time < .seconds(10) { return false }
            last = (ContinuousClock.now, text)
            return true
        }
        guard due else { return }
        let line = isTerminal && !always ? "\r\u{1B}[K\(text)" : (isTerminal ? "\r\u{1B}[K" : "") + text + "\n"
        FileHandle.standardError.write(Data(line.utf8))
    }

    func end() {
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }

    /// `3 min 20 s`
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
    }
}
