/// A signal with offset and slope taken out, against which templates are held.
struct TemplateProjection {
    private let times: [Double]
    private let width: Double
    /// Orthonormal offset and slope.
    private let constant: Double
    private let ramp: [Double]
    private let signal: [Double]

    init(times: [Double], values: [Double], width: Double) {
        self.times = times
        self.width = width
        let n = Double(times.count)
        constant = 1 / n.squareRoot()
        let mean = times.reduce(0, +) / n
        let norm = times.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
        ramp = times.map { ($0 - mean) / max(norm, 1e-300) }
        signal = Self.project(values, constant, ramp)
    }

    private static func project(_ values: [Double], _ constant: Double, _ ramp: [Double]) -> [Double] {
        let offset = values.reduce(0, +) * constant * constant
        var slope = 0.0
        for index in values.indices { slope += (values[index] - offset) * ramp[index] }
        return values.indices.map { values[$0] - offset - slope * ramp[$0] }
    }

    /// Sum of squares of the signal about its straight line.
    var signalSquare: Double { signal.reduce(0) { $0 + $1 * $1 } }

    /// What is left of the signal when the template at `begin` is fitted to it, the sum of squares, and the step.
    func residuals(_ template: SyncTemplate, begin: Double) -> (values: [Double], cost: Double, step: Double) {
        let column = Self.project(times.map { template.value(at: $0 - begin, width: width) }, constant, ramp)
        var square = 0.0
        var product = 0.0
        for index in column.indices {
            square += column[index] * column[index]
            product += column[index] * signal[index]
        }
        let step = square > 0 ? product / square : 0
        var cost = 0.0
        let values = column.indices.map { index in
            let residual = signal[index] - step * column[index]
            cost += residual * residual
            return residual
        }
        return (values, cost, step)
    }
}

/// Means of a signal on an even grid; empty cells hold the last value.
struct Means {
    var values: [Double] = []
    private var filled: [Bool] = []

    init(_ signal: SyncSearch.Signal, from: Double, until: Double, width: Double) {
        let count = max(0, Int(((until - from) / width).rounded(.up)))
        var sums = [Double](repeating: 0, count: count)
        var counts = [Int](repeating: 0, count: count)
        for index in signal.times.partition(from: from, until: until) {
            let cell = min(count - 1, Int((signal.times[index] - from) / width))
            sums[cell] += signal.values[index]
            counts[cell] += 1
        }
        filled = counts.map { $0 > 0 }
        guard let first = counts.firstIndex(where: { $0 > 0 }) else { return }
        var last = sums[first] / Double(counts[first])
        for index in sums.indices {
            if counts[index] > 0 { last = sums[index] / Double(counts[index]) }
            values.append(last)
        }
    }

    func coverage(from: Int, count: Int) -> Double {
        let range = max(0, from)..<min(filled.count, from + count)
        return range.isEmpty ? 0 : Double(range.count { filled[$0] }) / Double(max(count, 1))
    }
}
