package import Traces

/// Decides sample by sample what is new, repeated, torn or missing, from the meter's own clock, and unwraps that clock.
///
/// The clock is a u32 of milliseconds. A sample that continues the row is taken at once; any other jump is held back until
/// three samples in a row continue *it*, so that a torn sample never opens a false gap and a rebooted meter never hides
/// behind "repeated". Host times only decide whether the meter kept its power over an outage.
package struct SampleLedger: Sendable {
    package enum Output: Sendable, Equatable {
        case block(SampleBlock)
        case gap(Gap)
        /// The meter's clock has restarted: a new epoch begins.
        case restarted(epoch: Int)
    }

    /// Samples in a row that make a jump believable.
    private static let confirmation = 3
    /// How far back a sample counts as a repeat of one already taken, ms.
    private static let staleWindow: Int64 = 5_000
    /// How far a jump may be from what the host clock expects without being a restarted meter, ms; while streaming, and
    /// over an outage (plus a part of its length, for clocks that drift).
    private static let toleranceStreaming: Int64 = 3_000
    private static let toleranceResuming: Int64 = 500
    private static let driftPartsPerThousand: Int64 = 1

    let meter: String
    package let stepMilliseconds: Int64
    package private(set) var account = SampleAccount()
    private var last: Int64?
    /// Least of (host time − uptime), ns: a sample cannot be younger than now. Follows drift upwards slowly.
    private var hostOffset: Int64 = 0
    private var lastCompletedAt: Int64 = 0
    private var suspects: [QueueSample] = []
    private var isResuming = false
    private var lossCause: Gap.Cause?

    package init(meter: String, stepMilliseconds: Int64) {
        precondition(stepMilliseconds > 0, "a rate has a step")
        self.meter = meter
        self.stepMilliseconds = stepMilliseconds
    }

    package var epoch: Int { account.epochs.last?.epoch ?? 0 }

    /// Something was lost for this reason; the next gap carries the gravest reason noted since the last sample.
    package mutating func noteLoss(_ cause: Gap.Cause) {
        let order: [Gap.Cause] = [.overrun, .queue, .transfer, .session, .disconnected]
        let rank = { (c: Gap.Cause) in order.firstIndex(of: c) ?? 0 }
        if lossCause.map({ rank($0) < rank(cause) }) ?? true { lossCause = cause }
    }

    /// The stream was stopped and starts anew (graph, session or device): the next samples may be of a restarted clock.
    package mutating func streamRestarts(_ cause: Gap.Cause) {
        dropSuspects()
        noteLoss(cause)
        isResuming = true
    }

    /// Takes the AdcQueue payload of one reply: a whole number of 20-byte samples, as sent.
    package mutating func take(
        _ payload: UnsafeRawBufferPointer, requestedAtNanoseconds: Int64, completedAtNanoseconds: Int64
    ) -> [Output] {
        let count = payload.count / QueueSample.size
        if count == 0 { account.emptyReplies += 1 }
        if count >= QueueSample.ringDepth { account.fullReplies += 1 }
        guard count > 0 else { return [] }
        var writer = Writer(meter: meter, requestedAt: requestedAtNanoseconds, completedAt: completedAtNanoseconds)
        if let last, suspects.isEmpty, !isResuming {
            let samples = QueuePayload.decode(payload, after: last)
            if follows(samples, last) {
                accept(samples, into: &writer)
                return writer.finished()
            }
        }
        for k in 0..<count { judge(QueueSample(payload, at: k * QueueSample.size), into: &writer) }
        return writer.finished()
    }

    /// End of the stream: a last jump that found no three samples is taken if it goes forward, otherwise rejected.
    package mutating func finish(atNanoseconds now: Int64) -> [Output] {
        var writer = Writer(meter: meter, requestedAt: now, completedAt: now)
        if let first = suspects.first, suspects.count >= 2 || !isResuming, first.uptimeMilliseconds != 0 {
            confirm(into: &writer)
        }
        dropSuspects()
        return writer.finished()
    }

    private func follows(_ samples: [Sample], _ last: Int64) -> Bool {
        var expected = last
        for sample in samples {
            expected += stepMilliseconds
            if sample.uptimeMilliseconds != expected { return false }
        }
        return true
    }

    private mutating func judge(_ sample: QueueSample, into writer: inout Writer) {
        let uptime = sample.uptimeMilliseconds
        if let last {
            let delta = Int64(Int32(truncatingIfNeeded: Int64(uptime) &- last))
            if delta == stepMilliseconds, !isResuming {
                let droppedAhead = !suspects.isEmpty
                dropSuspects()
                accept([sample.sample(atUptime: last + delta)], into: &writer)
                // What was dropped lies ahead of this sample: the hole it leaves comes next.
                if droppedAhead { noteLoss(.transfer) }
                return
            }
            if !isResuming, delta <= 0, delta > -Self.staleWindow, uptime != 0 {
                account.repeated += 1
                return
            }
        }
        guard uptime != 0 else {
            account.rejected += 1
            noteLoss(.transfer)
            return
        }
        if let previous = suspects.last, Int64(uptime &- previous.uptimeMilliseconds) != stepMilliseconds {
            dropSuspects()
        }
        suspects.append(sample)
        if suspects.count >= Self.confirmation { confirm(into: &writer) }
    }

    private mutating func dropSuspects() {
        guard !suspects.isEmpty else { return }
        account.rejected += suspects.count
        suspects = []
        noteLoss(.transfer)
    }

    /// The held-back samples are real: place them on the clock, in this epoch or a new one.
    private mutating func confirm(into writer: inout Writer) {
        let held = suspects
        suspects = []
        guard let first = held.first else { return }
        var base = Int64(first.uptimeMilliseconds)
        if let last {
            let elapsed = max(0, writer.completedAt - lastCompletedAt) / 1_000_000
            let expected = max(last, (writer.completedAt - hostOffset) / 1_000_000)
            let nearest = expected &+ Int64(Int32(truncatingIfNeeded: base &- expected))
            let tolerance =
                (isResuming ? Self.toleranceResuming : Self.toleranceStreaming) + 2 * stepMilliseconds
                + elapsed * Self.driftPartsPerThousand / 1000
            if abs(nearest - expected) <= tolerance {
                base = nearest
            } else {
                beginEpoch(first: base, into: &writer)
            }
        }
        var fresh: [Sample] = []
        for (k, sample) in held.enumerated() {
            let uptime = base + Int64(k) * stepMilliseconds
            if let last, uptime <= last {
                account.repeated += 1
            } else {
                fresh.append(sample.sample(atUptime: uptime))
            }
        }
        guard let start = fresh.first?.uptimeMilliseconds else { return }
        if let last, start - last > stepMilliseconds { declareGap(from: last, to: start, into: &writer) }
        isResuming = false
        accept(fresh, into: &writer)
    }

    private mutating func beginEpoch(first: Int64, into writer: inout Writer) {
        let next = epoch + 1
        writer.close(epoch: epoch)
        writer.outputs.append(.restarted(epoch: next))
        if let last {
            account.gaps += 1
            writer.outputs.append(
                .gap(
                    Gap(
                        meter: meter, epoch: next, afterUptimeMilliseconds: last, beforeUptimeMilliseconds: first,
                        missing: nil, cause: .disconnected)))
        }
        account.epochs.append(
            SampleAccount.Epoch(epoch: next, firstUptimeMilliseconds: first, lastUptimeMilliseconds: first))
        last = nil
        lossCause = nil
        hostOffset = .max
    }

    private mutating func declareGap(from after: Int64, to before: Int64, into writer: inout Writer) {
        let missing = max(0, Int((before - after) / stepMilliseconds) - 1)
        guard missing > 0, !account.epochs.isEmpty else { return }
        writer.close(epoch: epoch)
        account.epochs[account.epochs.count - 1].missing += missing
        account.gaps += 1
        writer.outputs.append(
            .gap(
                Gap(
                    meter: meter, epoch: epoch, afterUptimeMilliseconds: after, beforeUptimeMilliseconds: before,
                    missing: missing, cause: lossCause ?? .overrun)))
    }

    private mutating func accept(_ samples: [Sample], into writer: inout Writer) {
        guard let first = samples.first, let newest = samples.last else { return }
        if account.epochs.isEmpty {
            account.epochs.append(
                SampleAccount.Epoch(
                    epoch: 0, firstUptimeMilliseconds: first.uptimeMilliseconds,
                    lastUptimeMilliseconds: first.uptimeMilliseconds))
            hostOffset = .max
        }
        let index = account.epochs.count - 1
        account.epochs[index].received += samples.count
        account.epochs[index].lastUptimeMilliseconds = newest.uptimeMilliseconds
        last = newest.uptimeMilliseconds
        lossCause = nil
        let candidate = writer.completedAt - newest.uptimeMilliseconds * 1_000_000
        // 200 ppm upwards: two quartz clocks never drift apart faster.
        let drift = max(0, writer.completedAt - lastCompletedAt) / 5_000
        hostOffset = hostOffset == .max ? candidate : min(hostOffset + drift, candidate)
        lastCompletedAt = writer.completedAt
        writer.add(samples, epoch: epoch)
    }

    /// Collects the samples of one reply into as few blocks as gaps and epochs allow.
    private struct Writer {
        let meter: String
        let requestedAt: Int64
        let completedAt: Int64
        var outputs: [Output] = []
        private var open: [Sample] = []
        private var openEpoch = 0

        init(meter: String, requestedAt: Int64, completedAt: Int64) {
            self.meter = meter
            self.requestedAt = requestedAt
            self.completedAt = completedAt
        }

        mutating func add(_ samples: [Sample], epoch: Int) {
            openEpoch = epoch
            if open.isEmpty { open = samples } else { open += samples }
        }

        mutating func close(epoch: Int) {
            guard !open.isEmpty else { return }
            outputs.append(
                .block(
                    SampleBlock(
                        meter: meter, epoch: openEpoch, requestedAtNanoseconds: requestedAt,
                        completedAtNanoseconds: completedAt, samples: open)))
            open = []
        }

        mutating func finished() -> [Output] {
            close(epoch: openEpoch)
            return outputs
        }
    }
}
