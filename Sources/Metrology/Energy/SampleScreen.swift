/// Finds readings that no board can have caused and replaces them, counted, by their neighbours' mean.
///
/// Rules: calibration.md 2.3. Outside the plausible range for at most one packet; or one single sample far from both
/// neighbours while these agree. At 1 kHz the meter repeats every conversion two or three times, so a true change is
/// never one sample long.
package struct SampleScreen: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// Plausible bus voltage, µV.
        package var microvolts: ClosedRange<Int32> = 4_000_000...6_000_000
        /// Plausible current, µA.
        package var microamperes: ClosedRange<Int32> = -50_000...6_000_000
        /// Noise of one reading (k = 1), µV and µA: the floor of the robust scale.
        package var noiseMicrovolts = 1_100.0
        package var noiseMicroamperes = 400.0
        /// Robust standard deviations beyond which a lone sample is rejected.
        package var limit = 8.0
        /// Longest stretch outside the range that is taken for bad readings; a longer one is believed and flagged.
        package var longestStretch = 40
        package init() {}
    }

    /// Indices of the samples whose reading was replaced, ascending.
    package var rejected: [Int] = []
    /// Samples outside the plausible range in stretches too long to be bad readings; kept as measured.
    package var implausible = 0

    /// Screens a trace in place.
    package static func clean(_ trace: inout MeterTrace, settings: Settings = Settings()) -> SampleScreen {
        var screen = SampleScreen()
        // One conversion spans at least two samples only at full rate.
        let loneSamples = trace.ticksPerSample == 1
        for run in trace.runs {
            let range = run.start..<run.start + run.count
            var bad = screen.outOfRange(trace, in: range, settings)
            if loneSamples { bad += lone(trace, in: range, settings) }
            guard !bad.isEmpty else { continue }
            screen.replace(Set(bad), in: &trace, range: range)
        }
        screen.rejected.sort()
        return screen
    }

    private mutating func outOfRange(
        _ trace: MeterTrace, in range: Range<Int>, _ settings: Settings
    ) -> [Int] {
        let bad = trace.microvolts.withUnsafeBufferPointer { volts in
            trace.microamperes.withUnsafeBufferPointer { amperes in
                var found: [Int] = []
                for index in range
                where !(settings.microvolts.contains(volts[index]) && settings.microamperes.contains(amperes[index])) {
                    found.append(index)
                }
                return found
            }
        }
        var kept: [Int] = []
        var begin = 0
        while begin < bad.count {
            var end = begin + 1
            while end < bad.count, bad[end] == bad[end - 1] + 1 { end += 1 }
            if end - begin <= settings.longestStretch {
                kept += bad[begin..<end]
            } else {
                implausible += end - begin
            }
            begin = end
        }
        return kept
    }

    /// Lone samples: far from both neighbours on the same side while the neighbours agree.
    private static func lone(_ trace: MeterTrace, in range: Range<Int>, _ settings: Settings) -> [Int] {
        guard range.count >= 7 else { return [] }
        var found: [Int] = []
        for (channel, floor) in [
            (trace.microvolts, settings.noiseMicrovolts), (trace.microamperes, settings.noiseMicroamperes),
        ] {
            let least = Int64(settings.limit * floor)
            channel.withUnsafeBufferPointer { values in
                for index in range.dropFirst().dropLast() {
                    let before = Int64(values[index]) - Int64(values[index - 1])
                    let after = Int64(values[index]) - Int64(values[index + 1])
                    guard abs(before) > least, abs(after) > least, (before > 0) == (after > 0),
                        abs(before - after) * 2 < min(abs(before), abs(after)),
                        isOutlier(values, index, range, floor: floor, limit: settings.limit)
                    else { continue }
                    found.append(index)
                }
            }
        }
        return found
    }

    private static func isOutlier(
        _ values: UnsafeBufferPointer<Int32>, _ index: Int, _ range: Range<Int>, floor: Double, limit: Double
    ) -> Bool {
        let begin = max(range.lowerBound, min(index - 3, range.upperBound - 7))
        let window = (begin..<begin + 7).map { Double(values[$0]) }
        let median = window.sorted()[3]
        let scale = 1.4826 * window.map { abs($0 - median) }.sorted()[3]
        return abs(Double(values[index]) - median) > limit * max(scale, floor)
    }

    /// Mean of the nearest good readings on both sides; the one there is at an edge of the run.
    private mutating func replace(_ bad: Set<Int>, in trace: inout MeterTrace, range: Range<Int>) {
        for index in bad.sorted() {
            var left = index - 1
            while left >= range.lowerBound, bad.contains(left) { left -= 1 }
            var right = index + 1
            while right < range.upperBound, bad.contains(right) { right += 1 }
            let sides = [left, right].filter { range.contains($0) }
            guard !sides.isEmpty else { continue }
            let volts = sides.reduce(Int64(0)) { $0 + Int64(trace.microvolts[$1]) } / Int64(sides.count)
            let amperes = sides.reduce(Int64(0)) { $0 + Int64(trace.microamperes[$1]) } / Int64(sides.count)
            trace.replace(
                sample: index, microvolts: Int32(clamping: volts), microamperes: Int32(clamping: amperes))
            rejected.append(index)
        }
    }
}
