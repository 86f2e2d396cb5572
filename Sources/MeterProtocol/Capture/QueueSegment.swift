/// The samples of one graph run of a capture, judged by the meter's own clock.
package struct QueueSegment: Sendable, Equatable {
    package struct Gap: Sendable, Equatable {
        /// Row and place in it of the first sample after the hole.
        package var seq: Int
        package var indexInBatch: Int
        package var afterUptimeMilliseconds: UInt32
        package var beforeUptimeMilliseconds: UInt32
        package var stepMilliseconds: Int64
        package var missing: Int64
    }

    /// Row of the START_GRAPH; nil if it came before the capture began.
    package private(set) var startSeq: Int?
    /// nil if neither START_GRAPH nor the steps tell.
    package private(set) var samplesPerSecond: Double?
    /// The rate was worked out from the most frequent step.
    package private(set) var isRateInferred = false
    package private(set) var stepMilliseconds: Int64
    package private(set) var samples = 0
    package private(set) var firstUptimeMilliseconds: UInt32 = 0
    package private(set) var lastUptimeMilliseconds: UInt32 = 0
    /// Steps longer than the period: sum of (step / period − 1).
    package private(set) var missing: Int64 = 0
    /// Samples at or before one already seen.
    package private(set) var repeatedOrBackward = 0
    /// All-zero or torn samples: their uptime fits neither what came before nor what came after.
    package private(set) var rejected = 0
    /// The meter's clock started anew inside the segment.
    package private(set) var clockRestarts = 0
    package private(set) var batches = 0
    package private(set) var largestBatch = 0
    /// Over the samples that are neither repeated nor rejected, µV and µA.
    package private(set) var meanVbusMicrovolts = 0.0
    package private(set) var meanIbusMicroamperes = 0.0
    package private(set) var gaps: [Gap] = []

    private struct Place {
        var seq: Int
        var index: Int
        var sample: QueueSample
    }

    /// - Parameters:
    ///   - replies: not empty, all of one graph run.
    ///   - rate: from START_GRAPH and the profile; nil if unknown.
    package init(startSeq: Int?, rate: MeterProfile.Rate?, replies: [CaptureDecoder.QueueReply]) {
        self.startSeq = startSeq
        let places = replies.flatMap { reply in
            reply.samples.enumerated().map { Place(seq: reply.seq, index: $0, sample: $1) }
        }
        samples = places.count
        batches = replies.count
        largestBatch = replies.map(\.samples.count).max() ?? 0
        if let rate {
            samplesPerSecond = Double(rate.samplesPerSecond)
            stepMilliseconds = rate.stepMilliseconds
        } else {
            stepMilliseconds = Self.mostFrequentStep(places.map(\.sample.uptimeMilliseconds)) ?? 1
            isRateInferred = true
            samplesPerSecond = places.count > 1 ? 1000 / Double(stepMilliseconds) : nil
        }
        judge(places)
    }

    private static func mostFrequentStep(_ uptimes: [UInt32]) -> Int64? {
        var counts: [Int64: Int] = [:]
        for (a, b) in zip(uptimes, uptimes.dropFirst()) {
            let step = Int64(Int32(truncatingIfNeeded: b &- a))
            if step > 0 { counts[step, default: 0] += 1 }
        }
        return counts.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key
    }

    private mutating func judge(_ places: [Place]) {
        var last: UInt32?
        var (sumV, sumI, taken): (Int64, Int64, Int64) = (0, 0, 0)
        for (k, place) in places.enumerated() {
            let uptime = place.sample.uptimeMilliseconds
            if let previous = last {
                let step = Int64(Int32(truncatingIfNeeded: uptime &- previous))
                if step != stepMilliseconds {
                    switch verdict(places, k, step, previous) {
                    case .repeated:
                        repeatedOrBackward += 1
                        continue
                    case .torn:
                        rejected += 1
                        continue
                    case .restart: clockRestarts += 1
                    case .forward: declare(step, previous, place)
                    }
                }
            } else {
                if isZero(place.sample) || isTornFirst(places, k) {
                    rejected += 1
                    continue
                }
                firstUptimeMilliseconds = uptime
            }
            last = uptime
            lastUptimeMilliseconds = uptime
            sumV += Int64(place.sample.vbusMicrovolts)
            sumI += Int64(place.sample.ibusMicroamperes)
            taken += 1
        }
        if taken > 0 {
            meanVbusMicrovolts = Double(sumV) / Double(taken)
            meanIbusMicroamperes = Double(sumI) / Double(taken)
        }
    }

    private enum Verdict { case repeated, torn, restart, forward }

    private func verdict(_ places: [Place], _ k: Int, _ step: Int64, _ previous: UInt32) -> Verdict {
        if isZero(places[k].sample) { return .torn }
        let following = places[(k + 1)...].prefix(2).map(\.sample.uptimeMilliseconds)
        let uptime = places[k].sample.uptimeMilliseconds
        if step > 0 {
            // A jump that the next sample takes back is a torn sample, not a hole.
            if let next = following.first {
                let fromHere = Int64(Int32(truncatingIfNeeded: next &- uptime))
                let fromLast = Int64(Int32(truncatingIfNeeded: next &- previous))
                if fromHere < 0, fromLast > 0 { return .torn }
            }
            return .forward
        }
        // Far back and going on from there: the meter's clock has started anew. Otherwise repeated, or torn if far off.
        guard step < -5_000 else { return .repeated }
        var expected = uptime
        for next in following {
            expected = expected &+ UInt32(stepMilliseconds)
            if next != expected { return .torn }
        }
        return following.count == 2 ? .restart : .torn
    }

    private func isZero(_ sample: QueueSample) -> Bool {
        sample.uptimeMilliseconds == 0 && sample.vbusMicrovolts == 0 && sample.ibusMicroamperes == 0
    }

    /// The first sample has no predecessor: it is torn if the next two agree with each other but not with it.
    private func isTornFirst(_ places: [Place], _ k: Int) -> Bool {
        let next = places[(k + 1)...].prefix(2).map(\.sample.uptimeMilliseconds)
        guard next.count == 2, Int64(next[1] &- next[0]) == stepMilliseconds else { return false }
        let toNext = Int64(Int32(truncatingIfNeeded: next[0] &- places[k].sample.uptimeMilliseconds))
        return toNext <= 0 || toNext > 60_000
    }

    private mutating func declare(_ step: Int64, _ previous: UInt32, _ place: Place) {
        guard step > stepMilliseconds else { return }
        let lost = max(0, step / stepMilliseconds - 1)
        missing += lost
        gaps.append(
            Gap(
                seq: place.seq, indexInBatch: place.index, afterUptimeMilliseconds: previous,
                beforeUptimeMilliseconds: place.sample.uptimeMilliseconds, stepMilliseconds: step, missing: lost))
    }
}
