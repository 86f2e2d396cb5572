package import Traces

/// Books of the blocks that one meter's consumer was too slow to take: turns them into one gap of cause `.queue`.
///
/// Pure: the queue asks it what to put in place of what it had to drop.
package struct DropLedger: Sendable, Equatable {
    private struct Hole: Sendable, Equatable {
        var epoch: Int
        var after: Int64
        var lastDropped: Int64
        var missing: Int
    }

    private let meter: String
    private var hole: Hole?
    private var lastDelivered: (epoch: Int, uptime: Int64)?

    package init(meter: String) { self.meter = meter }

    package static func == (left: DropLedger, right: DropLedger) -> Bool {
        left.meter == right.meter && left.hole == right.hole && left.lastDelivered?.epoch == right.lastDelivered?.epoch
            && left.lastDelivered?.uptime == right.lastDelivered?.uptime
    }

    /// A block could not be queued. Answers a gap that must be told first, if the block opens a new epoch.
    package mutating func dropped(_ block: SampleBlock) -> Gap? {
        guard let first = block.samples.first, let last = block.samples.last else { return nil }
        var told: Gap?
        if let open = hole, open.epoch != block.epoch { told = close(before: open.lastDropped + 1) }
        if hole == nil {
            let known = lastDelivered.flatMap { $0.epoch == block.epoch ? $0.uptime : nil }
            hole = Hole(
                epoch: block.epoch, after: known ?? first.uptimeMilliseconds - 1,
                lastDropped: last.uptimeMilliseconds, missing: 0)
        }
        hole?.missing += block.samples.count
        hole?.lastDropped = last.uptimeMilliseconds
        return told
    }

    /// A block is about to be queued. Answers the gap to put before it.
    package mutating func delivering(_ block: SampleBlock) -> Gap? {
        guard let first = block.samples.first, let last = block.samples.last else { return nil }
        defer { lastDelivered = (block.epoch, last.uptimeMilliseconds) }
        guard let open = hole else { return nil }
        return close(before: open.epoch == block.epoch ? first.uptimeMilliseconds : open.lastDropped + 1)
    }

    /// A gap that the session found. While blocks are being dropped it becomes part of the same hole (nil);
    /// otherwise it is told as it is. A hole across a reboot ends the open one.
    package mutating func telling(_ gap: Gap) -> [Gap] {
        guard let open = hole else { return [gap] }
        guard let missing = gap.missing, gap.epoch == open.epoch else {
            return [close(before: open.lastDropped + 1), gap].compactMap(\.self)
        }
        hole?.missing += missing
        hole?.lastDropped = gap.beforeUptimeMilliseconds - 1
        return []
    }

    /// The end of the recording: what is still open must be told.
    package mutating func finish() -> Gap? {
        hole.flatMap { close(before: $0.lastDropped + 1) }
    }

    private mutating func close(before: Int64) -> Gap? {
        guard let open = hole else { return nil }
        hole = nil
        return Gap(
            meter: meter, epoch: open.epoch, afterUptimeMilliseconds: open.after, beforeUptimeMilliseconds: before,
            missing: open.missing, cause: .queue)
    }
}
