package import Traces

/// Turns sample blocks into mean power over short windows, per meter: what board control and the live page look at.
///
/// Raw readings, no certificate: for telling states apart, not for energy.
package struct PowerWindows: Sendable {
    package struct Window: Sendable, Equatable {
        package var meter: String
        /// Mean of V·I over the window's samples, W; the sign is the meter's.
        package var meanWatts: Double
        package var lengthNanoseconds: Int64
        /// Host time of the reply that completed the window, ns.
        package var endNanoseconds: Int64
        package var samples: Int
    }

    private struct Open: Sendable {
        var epoch: Int
        var slot: Int64
        var sum = 0.0
        var count = 0
        var firstUptime: Int64
        var lastUptime: Int64
    }

    /// Length of a window by the meter's clock, ms.
    package let lengthMilliseconds: Int64
    private var open: [String: Open] = [:]

    package init(lengthMilliseconds: Int64 = 250) { self.lengthMilliseconds = max(1, lengthMilliseconds) }

    /// Windows that this block completes. A window with fewer than half its samples is left out: it proves nothing.
    package mutating func add(_ block: SampleBlock) -> [Window] {
        var done: [Window] = []
        for sample in block.samples {
            let slot = sample.uptimeMilliseconds / lengthMilliseconds
            if let window = open[block.meter], window.slot != slot || window.epoch != block.epoch {
                if let closed = close(window, of: block) { done.append(closed) }
                open[block.meter] = nil
            }
            var window =
                open[block.meter]
                ?? Open(
                    epoch: block.epoch, slot: slot, firstUptime: sample.uptimeMilliseconds,
                    lastUptime: sample.uptimeMilliseconds)
            window.sum += sample.rawPowerWatts
            window.count += 1
            window.lastUptime = sample.uptimeMilliseconds
            open[block.meter] = window
        }
        return done
    }

    private func close(_ window: Open, of block: SampleBlock) -> Window? {
        let span = window.lastUptime - window.firstUptime
        guard span >= lengthMilliseconds / 2, window.count * 2 >= Int(span) / 2 else { return nil }
        return Window(
            meter: block.meter, meanWatts: window.sum / Double(window.count), lengthNanoseconds: (span + 1) * 1_000_000,
            endNanoseconds: block.completedAtNanoseconds, samples: window.count)
    }
}
