/// Exit codes of every verb.
enum ExitStatus: Int32 {
    case ok = 0
    /// Measured, but a rule failed.
    case ruleFailed = 1
    /// Usage or bad input.
    case badInput = 2
    /// The bench is not ready: meter, permission, GPIO.
    case benchNotReady = 3
    /// Interrupted; can be resumed.
    case interrupted = 4
}

/// A failure with the sentence for the technician and the exit code that goes with it.
struct ExitFailure: Error, CustomStringConvertible {
    var status: ExitStatus
    var description: String

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }
}
