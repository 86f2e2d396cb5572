/// The gaps that touch an interval.
struct GapSummary {
    /// Samples missing inside the interval, in samples (fractions at its borders).
    var missing = 0.0
    var longestTicks = 0.0
    /// A border lies in a gap; and in one that knows no change there, so that the split is a guess.
    var borderInGap = false
    var borderInUnknownGap = false

    init(_ readings: CumulativeReadings, from a: Double, until b: Double) {
        let spacing = Double(readings.trace.ticksPerSample)
        for fill in GapSummary.touching(readings.fills, from: a, until: b) {
            let overlap = min(b, fill.end) - max(a, fill.begin)
            if overlap > 0 {
                missing += overlap * fill.missingShare / spacing
                longestTicks = max(longestTicks, overlap)
            }
            // A lone lost sample (2 ticks) is no more than the stream's own 2 ms steps.
            let wide = fill.end - fill.begin > 3 * spacing
            if wide, (fill.begin < a && a < fill.end) || (fill.begin < b && b < fill.end) {
                borderInGap = true
                if !fill.holdsChange { borderInUnknownGap = true }
            }
        }
    }

    static func touching(_ fills: [GapFill], from a: Double, until b: Double) -> ArraySlice<GapFill> {
        var low = 0
        var high = fills.count
        while low < high {
            let middle = (low + high) / 2
            if fills[middle].end <= a { low = middle + 1 } else { high = middle }
        }
        var end = low
        while end < fills.count, fills[end].begin < b { end += 1 }
        return fills[low..<end]
    }
}
