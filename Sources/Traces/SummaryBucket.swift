/// Minimum, mean, maximum and population standard deviation of one channel over a bucket of time.
package struct ChannelSummary: Sendable, Equatable {
    package var minimum: Double
    package var mean: Double
    package var maximum: Double
    /// Population standard deviation (divides by n), same unit as the mean.
    package var standardDeviation: Double

    package init(minimum: Double, mean: Double, maximum: Double, standardDeviation: Double) {
        self.minimum = minimum
        self.mean = mean
        self.maximum = maximum
        self.standardDeviation = standardDeviation
    }

    /// A summary of one value.
    package init(_ value: Double) {
        self.init(minimum: value, mean: value, maximum: value, standardDeviation: 0)
    }

    /// Joins the summaries of two disjoint sets of `n` and `m` values (Chan's parallel update); `n + m` > 0.
    package func joined(n: Int, with other: ChannelSummary, m: Int) -> ChannelSummary {
        let total = Double(n + m)
        let delta = other.mean - mean
        let squares =
            standardDeviation * standardDeviation * Double(n)
            + other.standardDeviation * other.standardDeviation * Double(m)
            + delta * delta * Double(n) * Double(m) / total
        return ChannelSummary(
            minimum: min(minimum, other.minimum),
            mean: mean + delta * Double(m) / total,
            maximum: max(maximum, other.maximum),
            standardDeviation: (squares / total).squareRoot())
    }
}

/// What the samples of one stretch of a meter's own time say together: one step of the min/mean/max/std pyramid.
///
/// Values are raw readings in the units of the wire (µV, µA, and µW for their product); no calibration applied.
package struct SummaryBucket: Sendable, Equatable {
    /// Number of the bucket: floor(uptime / width) with the width of its level.
    package var index: Int64
    /// Samples in the bucket, at least 1. Fewer than width × rate means that some are missing.
    package var count: Int
    package var vbusMicrovolts: ChannelSummary
    package var ibusMicroamperes: ChannelSummary
    package var powerMicrowatts: ChannelSummary

    package init(
        index: Int64, count: Int, vbusMicrovolts: ChannelSummary, ibusMicroamperes: ChannelSummary,
        powerMicrowatts: ChannelSummary
    ) {
        self.index = index
        self.count = count
        self.vbusMicrovolts = vbusMicrovolts
        self.ibusMicroamperes = ibusMicroamperes
        self.powerMicrowatts = powerMicrowatts
    }

    /// The bucket of `index` that holds one sample.
    package init(index: Int64, sample: Sample) {
        let volts = Double(sample.vbusMicrovolts)
        let amperes = Double(sample.ibusMicroamperes)
        self.init(
            index: index, count: 1, vbusMicrovolts: ChannelSummary(volts), ibusMicroamperes: ChannelSummary(amperes),
            powerMicrowatts: ChannelSummary(volts * amperes * 1e-6))
    }

    /// Takes in the samples that `other` stands for; the index stays.
    package mutating func join(_ other: SummaryBucket) {
        vbusMicrovolts = vbusMicrovolts.joined(n: count, with: other.vbusMicrovolts, m: other.count)
        ibusMicroamperes = ibusMicroamperes.joined(n: count, with: other.ibusMicroamperes, m: other.count)
        powerMicrowatts = powerMicrowatts.joined(n: count, with: other.powerMicrowatts, m: other.count)
        count += other.count
    }
}

/// Collects samples that fall into one bucket: running sums by Welford's update, one pass, no cancellation.
package struct BucketCollector: Sendable {
    private struct Channel {
        var minimum: Double
        var maximum: Double
        var mean: Double
        var squares = 0.0

        init(_ value: Double) {
            minimum = value
            maximum = value
            mean = value
        }

        mutating func add(_ value: Double, inverseCount: Double) {
            if value < minimum { minimum = value }
            if value > maximum { maximum = value }
            let delta = value - mean
            mean += delta * inverseCount
            squares += delta * (value - mean)
        }

        func summary(_ count: Int) -> ChannelSummary {
            ChannelSummary(
                minimum: minimum, mean: mean, maximum: maximum,
                standardDeviation: (max(0, squares) / Double(count)).squareRoot())
        }
    }

    package let index: Int64
    private var count = 1
    private var volts: Channel
    private var amperes: Channel
    private var watts: Channel

    package init(index: Int64, sample: Sample) {
        self.index = index
        let v = Double(sample.vbusMicrovolts)
        let i = Double(sample.ibusMicroamperes)
        volts = Channel(v)
        amperes = Channel(i)
        watts = Channel(v * i * 1e-6)
    }

    package mutating func add(_ sample: Sample) {
        count += 1
        let inverse = 1 / Double(count)
        let v = Double(sample.vbusMicrovolts)
        let i = Double(sample.ibusMicroamperes)
        volts.add(v, inverseCount: inverse)
        amperes.add(i, inverseCount: inverse)
        watts.add(v * i * 1e-6, inverseCount: inverse)
    }

    package var bucket: SummaryBucket {
        SummaryBucket(
            index: index, count: count, vbusMicrovolts: volts.summary(count), ibusMicroamperes: amperes.summary(count),
            powerMicrowatts: watts.summary(count))
    }
}
