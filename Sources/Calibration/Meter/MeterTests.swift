import Metrology

/// The tests of a meter calibration, on its good points.
struct MeterTests {
    private let points: [MeterPoint]
    private let x: [Double]
    private let design: Matrix
    private let response: [Double]
    private let u: [Double]
    private let weights: [Double]
    private let levels: [Int]

    struct AddedTerm {
        var coefficients: [Double]
        var covariance: Matrix
        var p: Double
    }

    init(_ points: [MeterPoint], good: [Int], line: Matrix, response: [Double], u: [Double], weights: [Double]) {
        self.points = good.map { points[$0] }
        x = self.points.map(\.reference)
        design = line.selecting(rows: good)
        self.response = good.map { response[$0] }
        self.u = good.map { u[$0] }
        self.weights = good.map { weights[$0] }
        levels = Self.levels(x)
        allCount = points.count
        kept = good
    }

    private let allCount: Int
    private let kept: [Int]

    /// Groups of references meant to be the same: no gap above 0.2 % of the span.
    private static func levels(_ x: [Double]) -> [Int] {
        let span = (x.max() ?? 0) - (x.min() ?? 0)
        var result = [Int](repeating: 0, count: x.count)
        var level = 0
        let order = x.indices.sorted { x[$0] < x[$1] }
        for (a, b) in zip(order.dropFirst(), order) {
            if x[a] - x[b] > 0.002 * span { level += 1 }
            result[a] = level
        }
        return result
    }

    /// t test of a further column (given for all points); nil where the data cannot carry it.
    func addedTerm(_ column: [Double]) -> AddedTerm? {
        guard column.count == allCount, points.count > 4 else { return nil }
        let own = kept.map { column[$0] }
        let wide = Matrix(columns: [design.column(0), design.column(1), own])
        let w = zip(weights, u).map { $0 / ($1 * $1) }
        guard let fit = try? LinearFit.weighted(wide, response, weights: w) else { return nil }
        let t = abs(fit.coefficients[2]) / fit.standardErrors[2]
        guard t.isFinite else { return nil }
        return AddedTerm(
            coefficients: fit.coefficients, covariance: fit.covariance,
            p: StudentDistribution.twoSidedTail(t, degreesOfFreedom: Double(points.count - 3)))
    }

    private var residuals: [Double] {
        let w = zip(weights, u).map { $0 / ($1 * $1) }
        guard let fit = try? LinearFit.weighted(design, response, weights: w) else { return [] }
        return zip(response, design * fit.coefficients).map { $0 - $1 }
    }

    /// Paired t test of downward against upward points of the same level and repeat.
    var hysteresis: (mean: Double, p: Double)? {
        struct Key: Hashable {
            var level: Int
            var replicate: Int
        }
        let r = residuals
        guard r.count == points.count else { return nil }
        var up: [Key: [Double]] = [:]
        var down: [Key: [Double]] = [:]
        for (i, point) in points.enumerated() {
            let key = Key(level: levels[i], replicate: point.replicate)
            if point.isUpward { up[key, default: []].append(r[i]) } else { down[key, default: []].append(r[i]) }
        }
        let keys = up.keys.filter { down[$0] != nil }.sorted { ($0.level, $0.replicate) < ($1.level, $1.replicate) }
        let differences = keys.map { (down[$0] ?? []).mean() - (up[$0] ?? []).mean() }
        guard differences.count >= 3 else { return nil }
        let mean = differences.mean()
        let sd = DynamicModel.standardDeviation(differences)
        guard sd > 0 else { return nil }
        let t = abs(mean) / (sd / Double(differences.count).squareRoot())
        return (mean, StudentDistribution.twoSidedTail(t, degreesOfFreedom: Double(differences.count - 1)))
    }

    /// F test of level means about the line against repeats within levels.
    var lackOfFit: Double? {
        let r = zip(residuals, u).map { $0 / $1 }
        guard r.count == points.count else { return nil }
        var pure = 0.0
        var lack = 0.0
        let groups = Dictionary(grouping: r.indices) { levels[$0] }
        for rows in groups.values {
            let mean = rows.map { r[$0] }.mean()
            pure += rows.map { (r[$0] - mean) * (r[$0] - mean) }.compensatedSum()
            lack += Double(rows.count) * mean * mean
        }
        let (lackFreedom, pureFreedom) = (groups.count - 2, points.count - groups.count)
        guard lackFreedom > 0, pureFreedom > 0, pure > 0 else { return nil }
        return FisherDistribution.upperTail(
            lack / Double(lackFreedom) / (pure / Double(pureFreedom)), Double(lackFreedom), Double(pureFreedom))
    }
}
