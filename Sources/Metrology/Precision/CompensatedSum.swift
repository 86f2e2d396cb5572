/// Running sum with Neumaier's compensation: the error does not grow with the number of terms.
package struct CompensatedSum: Sendable {
    private var sum = 0.0
    private var compensation = 0.0

    package init() {}

    @inline(__always)
    package mutating func add(_ value: Double) {
        let total = sum + value
        compensation += abs(sum) >= abs(value) ? (sum - total) + value : (value - total) + sum
        sum = total
    }

    package var value: Double { sum + compensation }
}

extension Sequence where Element == Double {
    /// Sum with Neumaier's compensation.
    package func compensatedSum() -> Double {
        var sum = CompensatedSum()
        for value in self { sum.add(value) }
        return sum.value
    }
}

extension Collection where Element == Double {
    /// Arithmetic mean by compensated summation; NaN for an empty collection.
    package func mean() -> Double { compensatedSum() / Double(count) }

    /// Median (mean of the two middle values for an even count); NaN for an empty collection.
    package func median() -> Double {
        let sorted = self.sorted()
        guard let last = sorted.last else { return .nan }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2)
            ? 0.5 * (sorted[middle - 1] + sorted[middle]) : (middle < sorted.count ? sorted[middle] : last)
    }

    /// Quantile by linear interpolation between order statistics (Hyndman-Fan type 7), 0 ≤ p ≤ 1.
    package func quantile(_ p: Double) -> Double {
        let sorted = self.sorted()
        guard !sorted.isEmpty else { return .nan }
        let position = p * Double(sorted.count - 1)
        let below = Swift.min(Swift.max(Int(position), 0), sorted.count - 1)
        let above = Swift.min(below + 1, sorted.count - 1)
        return sorted[below] + (position - Double(below)) * (sorted[above] - sorted[below])
    }
}
