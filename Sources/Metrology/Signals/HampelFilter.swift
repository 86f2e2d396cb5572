/// Replaces isolated spikes by the median around them; everything else passes unchanged.
package struct HampelFilter: Sendable, Equatable {
    /// Odd number of points in the window.
    package var window = 7
    /// Robust standard deviations beyond which a point is a spike.
    package var limit = 5.0
    package init(window: Int = 7, limit: Double = 5) {
        self.window = max(3, window | 1)
        self.limit = limit
    }

    /// - Parameter scaleFloor: the robust scale of a window is not taken smaller than this; pass the noise of the
    ///   series, since seven correlated points can lie close together by chance.
    /// - Returns: the filtered values and the indices that were replaced.
    package func filter(_ values: [Double], scaleFloor: Double = 0) -> (values: [Double], replaced: [Int]) {
        let half = window / 2
        guard values.count >= window else { return (values, []) }
        var result = values
        var replaced: [Int] = []
        var sorted = [Double](repeating: 0, count: window)
        for index in values.indices {
            let begin = min(max(0, index - half), values.count - window)
            for offset in 0..<window { sorted[offset] = values[begin + offset] }
            sorted.sort()
            let median = sorted[half]
            let deviation = abs(values[index] - median)
            guard deviation > limit * scaleFloor else { continue }
            for offset in 0..<window { sorted[offset] = abs(values[begin + offset] - median) }
            sorted.sort()
            guard deviation > limit * max(1.4826 * sorted[half], scaleFloor) else { continue }
            result[index] = median
            replaced.append(index)
        }
        return (result, replaced)
    }
}
