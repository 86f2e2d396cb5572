import Foundation

/// A linear axis: the range shown and where its ticks stand.
package struct AxisScale: Sendable, Equatable {
    package var lower: Double
    package var upper: Double
    package var ticks: [Double]

    /// Chooses round ticks (1, 2 or 5 times a power of ten) that cover the finite values; about `count` of them.
    /// An empty or single-valued range is widened so that there is something to draw.
    package init(covering values: some Sequence<Double>, includeZero: Bool = false, count: Int = 6) {
        var lower = Double.infinity
        var upper = -Double.infinity
        for value in values where value.isFinite {
            lower = min(lower, value)
            upper = max(upper, value)
        }
        if !lower.isFinite { (lower, upper) = (0, 1) }
        if includeZero {
            lower = min(lower, 0)
            upper = max(upper, 0)
        }
        if upper == lower {
            let margin = lower == 0 ? 1 : abs(lower) * 0.05
            lower -= margin
            upper += margin
        }
        let step = Self.roundStep((upper - lower) / Double(max(count, 2)))
        let first = (lower / step).rounded(.down)
        let last = (upper / step).rounded(.up)
        self.lower = first * step
        self.upper = last * step
        self.ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    }

    /// An axis over exactly this range, ticks inside it.
    package init(lower: Double, upper: Double, count: Int = 8) {
        let upper = upper > lower ? upper : lower + 1
        let step = Self.roundStep((upper - lower) / Double(max(count, 2)))
        self.lower = lower
        self.upper = upper
        self.ticks = stride(from: (lower / step).rounded(.up), through: (upper / step).rounded(.down), by: 1)
            .map { $0 * step }
    }

    private static func roundStep(_ raw: Double) -> Double {
        let magnitude = pow(10, (log10(raw)).rounded(.down))
        let fraction = raw / magnitude
        let rounded = fraction <= 1 ? 1.0 : fraction <= 2 ? 2 : fraction <= 5 ? 5 : 10
        return rounded * magnitude
    }

    /// Position of a value as a fraction of the axis, 0 at `lower`.
    package func fraction(of value: Double) -> Double { (value - lower) / (upper - lower) }

    /// Tick label without needless digits.
    package static func label(_ value: Double) -> String {
        if value == 0 || abs(value) < 1e-12 { return "0" }
        let magnitude = abs(value)
        if magnitude >= 1e6 || magnitude < 1e-3 { return String(format: "%.2g", value) }
        let text = String(format: "%.4f", value)
        var trimmed = Substring(text)
        while trimmed.hasSuffix("0") { trimmed = trimmed.dropLast() }
        if trimmed.hasSuffix(".") { trimmed = trimmed.dropLast() }
        return String(trimmed)
    }
}
