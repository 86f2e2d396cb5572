package import Traces

/// The readings of one meter in one epoch on its own clock: contiguous runs of equally spaced samples and the gaps
/// between them. Raw values; nothing is filled in.
package struct MeterTrace: Sendable {
    /// Samples without a hole: `count` of them from `firstTick`, stored from `start` on.
    package struct Run: Sendable, Equatable {
        package var firstTick: Int64
        package var start: Int
        package var count: Int
        package func lastTick(spacing: Int64) -> Int64 { firstTick + Int64(count - 1) * spacing }
    }

    /// Ticks from one sample to the next (1 at 1 kHz, 20 at 50 samples per second).
    package let ticksPerSample: Int64
    /// Nominal length of one tick, ns.
    package static let tickNanoseconds: Int64 = 1_000_000
    package private(set) var runs: [Run] = []
    /// Bus voltage, µV, and current, µA, of all runs one after another.
    package private(set) var microvolts: [Int32] = []
    package private(set) var microamperes: [Int32] = []
    /// Samples that came with a counter already seen; they were dropped.
    package private(set) var repeated = 0

    package init(ticksPerSample: Int64 = 1) { self.ticksPerSample = max(1, ticksPerSample) }

    package mutating func reserveCapacity(_ count: Int) {
        microvolts.reserveCapacity(count)
        microamperes.reserveCapacity(count)
    }

    /// Adds one sample. A counter not after the last one is a repeat and is dropped and counted; sort readings that
    /// may be out of order before (`init(unsorted:)`).
    package mutating func append(tick: Int64, microvolts v: Int32, microamperes i: Int32) {
        if var run = runs.last {
            let last = run.lastTick(spacing: ticksPerSample)
            guard tick > last else {
                repeated += 1
                return
            }
            if tick == last + ticksPerSample {
                run.count += 1
                runs[runs.count - 1] = run
            } else {
                runs.append(Run(firstTick: tick, start: microvolts.count, count: 1))
            }
        } else {
            runs.append(Run(firstTick: tick, start: 0, count: 1))
        }
        microvolts.append(v)
        microamperes.append(i)
    }

    /// Adds a contiguous batch, as one reply of the meter brings it.
    package mutating func append(_ samples: some Sequence<Sample>) {
        for sample in samples {
            append(
                tick: sample.uptimeMilliseconds, microvolts: sample.vbusMicrovolts,
                microamperes: sample.ibusMicroamperes)
        }
    }

    /// The samples of the blocks of one epoch, in order; spacing from the commonest step of the counter.
    package init(blocks: some Sequence<SampleBlock>, epoch: Int) {
        let samples = blocks.lazy.filter { $0.epoch == epoch }.flatMap(\.samples)
        self.init(ticksPerSample: Self.commonestStep(samples.lazy.map(\.uptimeMilliseconds)))
        append(samples)
    }

    /// Readings in any order with repeats, as packets that overtook each other bring them: later repeats are dropped.
    package init(unsorted readings: [(tick: Int64, microvolts: Int32, microamperes: Int32)]) {
        var order = Array(readings.indices)
        let ordered = zip(readings, readings.dropFirst()).allSatisfy { $0.tick <= $1.tick }
        if !ordered { order.sort { (readings[$0].tick, $0) < (readings[$1].tick, $1) } }
        self.init(ticksPerSample: Self.commonestStep(order.lazy.map { readings[$0].tick }))
        reserveCapacity(readings.count)
        for index in order {
            let reading = readings[index]
            append(tick: reading.tick, microvolts: reading.microvolts, microamperes: reading.microamperes)
        }
    }

    /// The commonest positive difference among the first 10 000 ticks; 1 if there is none.
    private static func commonestStep(_ ticks: some Sequence<Int64>) -> Int64 {
        var counts: [Int64: Int] = [:]
        var last: Int64?
        for tick in ticks.prefix(10_000) {
            if let last, tick > last { counts[tick - last, default: 0] += 1 }
            last = tick
        }
        return counts.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key ?? 1
    }

    package var sampleCount: Int { microvolts.count }
    package var firstTick: Int64? { runs.first?.firstTick }
    package var lastTick: Int64? { runs.last?.lastTick(spacing: ticksPerSample) }

    /// Samples the counter says were taken and never arrived.
    package var missing: Int {
        guard let first = firstTick, let last = lastTick else { return 0 }
        return Int((last - first) / ticksPerSample) + 1 - sampleCount
    }

    /// Gaps as (last tick before, first tick after, samples missing).
    package var gaps: [(after: Int64, before: Int64, missing: Int)] {
        zip(runs, runs.dropFirst()).map { left, right in
            let after = left.lastTick(spacing: ticksPerSample)
            return (after, right.firstTick, Int((right.firstTick - after) / ticksPerSample) - 1)
        }
    }

    /// Index of the last sample at or before a tick; nil before the first sample.
    package func index(atOrBefore tick: Int64) -> Int? {
        guard let run = runIndex(atOrBefore: tick) else { return nil }
        let offset = (tick - runs[run].firstTick) / ticksPerSample
        return runs[run].start + Int(min(offset, Int64(runs[run].count - 1)))
    }

    /// The run that begins at or before a tick; nil before the first.
    package func runIndex(atOrBefore tick: Int64) -> Int? {
        guard let first = runs.first, tick >= first.firstTick else { return nil }
        var low = 0
        var high = runs.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if runs[middle].firstTick <= tick { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// Tick of a sample by its index.
    package func tick(ofSample index: Int) -> Int64 {
        var low = 0
        var high = runs.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if runs[middle].start <= index { low = middle } else { high = middle - 1 }
        }
        return runs[low].firstTick + Int64(index - runs[low].start) * ticksPerSample
    }

    /// Puts other values in the place of one reading (screening of impossible readings).
    mutating func replace(sample index: Int, microvolts v: Int32, microamperes i: Int32) {
        microvolts[index] = v
        microamperes[index] = i
    }
}
