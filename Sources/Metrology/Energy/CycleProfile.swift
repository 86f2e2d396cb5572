/// The mean course of readings through a repeating stretch of work (a mini-batch), for filling gaps inside it.
///
/// A straight line across a gap misses what every cycle does, such as the short dip while the next batch is loaded, and
/// always in the same direction. The course of the whole cycles shows it.
package struct CycleProfile: Sendable {
    /// Borders of the cycles, ticks, ascending and not overlapping.
    let cycles: [(begin: Double, end: Double)]
    /// Mean level by whole ticks since the beginning of a cycle.
    private let levels: [GapFill.Level]

    /// - Returns: nil with fewer than five cycles that are free of gaps.
    package init?(_ trace: MeterTrace, cycles: [(begin: Double, end: Double)]) {
        let sorted = cycles.filter { $0.end > $0.begin }.sorted { $0.begin < $1.begin }
        guard let longest = sorted.map({ $0.end - $0.begin }).max(), longest < 1e6, trace.ticksPerSample == 1 else {
            return nil
        }
        var sums = [GapFill.Level](repeating: GapFill.Level(), count: Int(longest) + 2)
        var counts = [Double](repeating: 0, count: sums.count)
        var whole = 0
        for cycle in sorted {
            let first = Int64(cycle.begin.rounded(.up))
            let last = Int64(cycle.end.rounded(.down))
            guard let number = trace.runIndex(atOrBefore: first) else { continue }
            let run = trace.runs[number]
            guard last <= run.lastTick(spacing: 1) else { continue }
            whole += 1
            for tick in first...max(first, last) {
                let offset = Int((Double(tick) - cycle.begin).rounded())
                guard sums.indices.contains(offset) else { continue }
                sums[offset] += Self.level(trace, run.start + Int(tick - run.firstTick))
                counts[offset] += 1
            }
        }
        guard whole >= 5 else { return nil }
        var levels: [GapFill.Level] = []
        for index in sums.indices {
            // Beyond the shorter cycles few are left; the last well-known level goes on.
            if counts[index] >= 3 {
                levels.append(sums[index] / counts[index])
            } else if let last = levels.last {
                levels.append(last)
            }
        }
        guard !levels.isEmpty else { return nil }
        self.cycles = sorted
        self.levels = levels
    }

    private static func level(_ trace: MeterTrace, _ sample: Int) -> GapFill.Level {
        let v = Double(trace.microvolts[sample])
        let i = Double(trace.microamperes[sample])
        return GapFill.Level(v * i, v, i, 0)
    }

    /// The cycle that holds a tick.
    func cycle(at tick: Double) -> Int? {
        var low = 0
        var high = cycles.count
        while low < high {
            let middle = (low + high) / 2
            if cycles[middle].begin <= tick { low = middle + 1 } else { high = middle }
        }
        guard low > 0, tick < cycles[low - 1].end else { return nil }
        return low - 1
    }

    /// Mean level at a tick; nil outside all cycles.
    func level(at tick: Double) -> GapFill.Level? {
        guard let cycle = cycle(at: tick) else { return nil }
        return levels[min(Int((tick - cycles[cycle].begin).rounded()), levels.count - 1)]
    }

    /// How much the readings around a gap lie above the profile: mean over the samples within `reach` ticks of it.
    func excess(_ trace: MeterTrace, around begin: Double, _ end: Double, reach: Int64 = 100) -> GapFill.Level {
        var sum = GapFill.Level()
        var count = 0.0
        let low = Int64(begin)
        let high = Int64(end)
        for tick in Array((low - reach)...low) + Array(high...(high + reach)) {
            guard let expected = level(at: Double(tick)), let number = trace.runIndex(atOrBefore: tick) else {
                continue
            }
            let run = trace.runs[number]
            guard tick <= run.lastTick(spacing: 1) else { continue }
            sum += Self.level(trace, run.start + Int(tick - run.firstTick)) - expected
            count += 1
        }
        return count > 0 ? sum / count : sum
    }
}
