package import Traces

/// Reduces the stream of one meter to smallest and largest power per column of time, so that a chart of any width
/// still shows every spike. A column without samples stays NaN: a gap is seen as a gap.
package struct LiveColumns: Sendable {
    /// One column of `columnMilliseconds`: power, W, raw readings.
    package struct Column: Sendable, Equatable {
        /// Number of the column since the lane's origin; consecutive numbers touch.
        package var index: Int64
        package var lowWatts: Float
        package var highWatts: Float
    }

    /// Width of a column, ms of host time.
    package let columnMilliseconds: Int64
    /// Host time of column 0, ns.
    package let originNanoseconds: Int64
    /// +1 or −1: which way the meter is plugged in.
    package let sign: Double

    private var open: Column?
    /// Smallest difference host − meter of this epoch, ns: replies are late, never early.
    private var offset: Int64?
    private var epoch = 0

    package init(originNanoseconds: Int64, columnMilliseconds: Int64 = 10, sign: Double = 1) {
        self.originNanoseconds = originNanoseconds
        self.columnMilliseconds = max(1, columnMilliseconds)
        self.sign = sign
    }

    /// Columns completed by this block, in order, with NaN columns where time passed without samples.
    package mutating func add(_ block: SampleBlock) -> [Column] {
        guard let newest = block.samples.last else { return [] }
        let seen = block.completedAtNanoseconds - newest.uptimeMilliseconds * 1_000_000
        offset = block.epoch == epoch ? min(offset ?? seen, seen) : seen
        epoch = block.epoch
        var done: [Column] = []
        for sample in block.samples {
            let host = sample.uptimeMilliseconds * 1_000_000 + (offset ?? seen)
            let index = (host - originNanoseconds) / (columnMilliseconds * 1_000_000)
            let watts = Float(sign * sample.rawPowerWatts)
            guard var column = open else {
                open = Column(index: index, lowWatts: watts, highWatts: watts)
                continue
            }
            if index <= column.index {
                column.lowWatts = min(column.lowWatts, watts)
                column.highWatts = max(column.highWatts, watts)
                open = column
            } else {
                done.append(column)
                // A long silence is told by the last missing columns only; a chart shows no more than its width.
                for missing in max(column.index + 1, index - 6000)..<index {
                    done.append(Column(index: missing, lowWatts: .nan, highWatts: .nan))
                }
                open = Column(index: index, lowWatts: watts, highWatts: watts)
            }
        }
        return done
    }
}
