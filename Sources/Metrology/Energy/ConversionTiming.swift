import Foundation

/// When the meter's converter really measured: the 1 kHz stream repeats conversions that end every 2.1 ms.
///
/// The samples at which a channel changes fix the conversions' period and phase to some hundredths of a millisecond;
/// each value is then the mean over the 1.052 ms before its conversion ended (meter-protocol.md 8.4).
package struct ConversionTiming: Sendable, Equatable {
    /// Length of one conversion, s, and time between two of one channel.
    package static let conversionSeconds = 1.052e-3

    /// Time between conversions of the channel, in ticks.
    package var periodTicks: Double
    /// 0...1: how sharply the changes follow one period; below 0.5 the stream is not a held one.
    package var sharpness: Double
    /// One entry per conversion seen: middle of the averaging, ticks, and value in the channel's unit.
    package var times: [Double]
    package var values: [Double]

    /// Mean delay of the sample stream behind what it measures, ticks: half a conversion and half a holding time.
    package var meanDelayTicks: Double { Self.conversionSeconds * 1e3 / 2 + periodTicks / 2 }

    /// - Parameters:
    ///   - ticks: stretch of the trace to look at; a few seconds to a minute.
    ///   - scale: unit per raw count of the current (1e-6 for A).
    /// - Returns: nil if the stream is not a held 1 kHz stream, or has too few changes.
    package init?(currentOf trace: MeterTrace, ticks: Range<Int64>, scale: Double = 1e-6) {
        var changes: [(tick: Int64, value: Int32)] = []
        for run in trace.runs {
            guard run.firstTick < ticks.upperBound, run.lastTick(spacing: trace.ticksPerSample) >= ticks.lowerBound
            else { continue }
            let skip = max(0, ticks.lowerBound - run.firstTick)
            let count = min(Int64(run.count), ticks.upperBound - run.firstTick)
            guard trace.ticksPerSample == 1, count > skip + 1 else { continue }
            for offset in Int(skip) + 1..<Int(count) {
                let value = trace.microamperes[run.start + offset]
                if value != trace.microamperes[run.start + offset - 1] {
                    changes.append((run.firstTick + Int64(offset), value))
                }
            }
        }
        guard changes.count >= 50, let first = changes.first, let last = changes.last else { return nil }
        // Period: where the phases of all changes agree best. Fine enough not to slip a tenth of a turn at the ends.
        let span = Double(last.tick - first.tick)
        let step = 0.1 * 2.1 * 2.1 / span
        var best = (sharpness: 0.0, period: 2.104, angle: 0.0)
        var period = 2.08
        while period < 2.14 {
            var (re, im) = (0.0, 0.0)
            for change in changes {
                let turn = 2 * Double.pi * (Double(change.tick - first.tick) / period)
                re += cos(turn)
                im += sin(turn)
            }
            let sharpness = (re * re + im * im).squareRoot() / Double(changes.count)
            if sharpness > best.sharpness { best = (sharpness, period, atan2(im, re)) }
            period += step
        }
        guard best.sharpness > 0.5 else { return nil }
        // Age of a new value when first seen: its phase behind the mean phase, spread evenly over one tick.
        let centre = best.angle / (2 * Double.pi)
        let ages = changes.map { change -> Double in
            let turn = Double(change.tick - first.tick) / best.period - centre
            return (turn - turn.rounded()) * best.period
        }
        let sorted = ages.sorted()
        let low = sorted[sorted.count / 200]
        let high = sorted[sorted.count - 1 - sorted.count / 200]
        let middle = (low + high) / 2
        let half = Self.conversionSeconds * 1e3 / 2
        periodTicks = best.period
        sharpness = best.sharpness
        times = []
        values = []
        for (index, change) in changes.enumerated() {
            let age = ages[index] - middle + 0.5
            // Not a conversion of this channel's rhythm (a replaced reading, a lost sample).
            guard age > -0.2, age < 1.2 else { continue }
            times.append(Double(change.tick) - age - half)
            values.append(Double(change.value) * scale)
        }
    }
}
