/// Running integrals of V·I, V and I over the meter's own ticks: one function of time from which every interval is a
/// difference, so that splitting and merging intervals never changes a sum.
///
/// Inside a run of samples the rule is the trapezoid with linear interpolation between samples. Across a gap it follows
/// the gap's fill (`GapFill`). Outside the trace it is constant: no energy is invented there.
package struct CumulativeReadings: Sendable {
    /// Integrals since the first sample, in raw units times ticks.
    package struct Integral: Sendable, Equatable {
        /// µV·µA·ticks.
        package var product = 0.0
        /// µV·ticks and µA·ticks.
        package var volts = 0.0
        package var amperes = 0.0
        /// Ticks spanned, and of these ticks inside gaps.
        package var ticks = 0.0
        package var gapTicks = 0.0

        package static func + (a: Integral, b: Integral) -> Integral {
            Integral(
                product: a.product + b.product, volts: a.volts + b.volts, amperes: a.amperes + b.amperes,
                ticks: a.ticks + b.ticks, gapTicks: a.gapTicks + b.gapTicks)
        }
        package static func - (a: Integral, b: Integral) -> Integral {
            Integral(
                product: a.product - b.product, volts: a.volts - b.volts, amperes: a.amperes - b.amperes,
                ticks: a.ticks - b.ticks, gapTicks: a.gapTicks - b.gapTicks)
        }
    }

    package let trace: MeterTrace
    /// One per gap of the trace, in order.
    package let fills: [GapFill]
    /// Sums over blocks of `blockSize` samples, counted over all runs, and running sums before each block.
    private let prefix: [BlockSums.Sums]
    private let runStarts: [Integral]
    static let blockSize = 256

    /// - Parameter changes: ticks at which the power is known to change (events on the meter's clock), ascending; gaps
    ///   that hold one are filled with a step there instead of a straight line.
    /// - Parameter profile: course of repeating work, for gaps inside it.
    package init(_ trace: MeterTrace, changes: [Double] = [], profile: CycleProfile? = nil) {
        self.trace = trace
        prefix = BlockSums.prefix(trace.microvolts, trace.microamperes, blockSize: Self.blockSize)
        fills = GapFill.fills(of: trace, changes: changes, profile: profile)
        var starts: [Integral] = []
        var sum = Integral()
        for (number, run) in trace.runs.enumerated() {
            starts.append(sum)
            sum = sum + Self.inside(run, upTo: run.count - 1, fraction: 0, trace, prefix)
            if number < fills.count { sum = sum + fills[number].integral(until: fills[number].end) }
        }
        runStarts = starts
        total = sum
    }

    /// From the first to the last sample.
    package let total: Integral

    /// The integral up to a time in ticks (fractions allowed).
    package func integral(until tick: Double) -> Integral {
        guard let first = trace.firstTick, let last = trace.lastTick, tick > Double(first) else { return Integral() }
        if tick >= Double(last) { return total }
        guard let number = trace.runIndex(atOrBefore: Int64(tick.rounded(.down))) else { return Integral() }
        let run = trace.runs[number]
        let end = Double(run.lastTick(spacing: trace.ticksPerSample))
        if tick >= end, number < fills.count {
            return runStarts[number] + Self.inside(run, upTo: run.count - 1, fraction: 0, trace, prefix)
                + fills[number].integral(until: tick)
        }
        let position = (tick - Double(run.firstTick)) / Double(trace.ticksPerSample)
        let index = min(Int(position), run.count - 2)
        return runStarts[number] + Self.inside(run, upTo: index, fraction: position - Double(index), trace, prefix)
    }

    /// The integral over [a, b) in ticks.
    package func integral(from a: Double, until b: Double) -> Integral { integral(until: b) - integral(until: a) }

    /// Trapezoids from the first sample of a run to sample `index` of it, plus a fraction of the next interval.
    private static func inside(
        _ run: MeterTrace.Run, upTo index: Int, fraction: Double, _ trace: MeterTrace, _ prefix: [BlockSums.Sums]
    ) -> Integral {
        guard index >= 0 else { return Integral() }
        let spacing = Double(trace.ticksPerSample)
        func sums(until sample: Int) -> BlockSums.Sums {
            let block = sample / blockSize
            return prefix[block]
                + BlockSums.sums(trace.microvolts, trace.microamperes, block * blockSize..<sample)
        }
        func value(_ sample: Int) -> BlockSums.Sums {
            let v = Double(trace.microvolts[sample])
            let i = Double(trace.microamperes[sample])
            return BlockSums.Sums(v * i, v, i, 0)
        }
        let here = run.start + index
        // Sum over samples start...here less half of both ends.
        var sum = sums(until: here + 1) - sums(until: run.start)
        sum -= (value(run.start) + value(here)) * 0.5
        if fraction > 0 {
            let step = value(here + 1) - value(here)
            sum += value(here) * fraction + step * (0.5 * fraction * fraction)
        }
        sum *= spacing
        return Integral(
            product: sum[0], volts: sum[1], amperes: sum[2], ticks: (Double(index) + fraction) * spacing, gapTicks: 0)
    }
}
