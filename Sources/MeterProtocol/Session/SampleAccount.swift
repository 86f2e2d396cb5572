/// The counting of one meter's samples. Nothing is lost silently: at 1 kHz `last - first + 1 = received + missing` holds
/// in every epoch, and what was dropped is counted by its reason.
package struct SampleAccount: Sendable, Equatable {
    /// One power-up of the meter as seen in a run.
    package struct Epoch: Sendable, Equatable {
        package var epoch: Int
        /// Uptime of the first and last accepted sample, ms, unwrapped.
        package var firstUptimeMilliseconds: Int64
        package var lastUptimeMilliseconds: Int64
        package var received = 0
        /// Steps of the meter's clock between accepted samples that brought none.
        package var missing = 0

        /// Whether the count closes at this step: received + missing = steps from first to last, plus one.
        package func isBalanced(stepMilliseconds: Int64) -> Bool {
            (lastUptimeMilliseconds - firstUptimeMilliseconds) / stepMilliseconds + 1 == Int64(received + missing)
        }
    }

    package var epochs: [Epoch] = []
    /// Samples at or before the last accepted uptime: sent again by the meter, dropped here.
    package var repeated = 0
    /// Samples whose uptime fits nothing (zero, torn, out of order), dropped here.
    package var rejected = 0
    /// Replies with a full ring: the next poll later would have lost samples.
    package var fullReplies = 0
    /// Replies with no sample.
    package var emptyReplies = 0
    /// Holes, those without a known count (across a reboot) included.
    package var gaps = 0

    package init() {}

    package var received: Int { epochs.reduce(0) { $0 + $1.received } }
    package var missing: Int { epochs.reduce(0) { $0 + $1.missing } }
    package var firstUptimeMilliseconds: Int64? { epochs.first?.firstUptimeMilliseconds }
    package var lastUptimeMilliseconds: Int64? { epochs.last?.lastUptimeMilliseconds }

    /// Whether every epoch's count closes.
    package func isBalanced(stepMilliseconds: Int64) -> Bool {
        epochs.allSatisfy { $0.isBalanced(stepMilliseconds: stepMilliseconds) }
    }
}
