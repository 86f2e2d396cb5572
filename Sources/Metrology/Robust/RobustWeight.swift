import Foundation

/// Weight functions of M-estimation: how much a residual of u scales still counts.
package enum RobustWeight: Sendable, Equatable {
    /// Huber: full weight up to the tuning constant, then falling as 1/|u|. Usual constant 1.345.
    case huber(Double)
    /// Tukey's bisquare: nothing beyond the tuning constant. Usual constant 4.685.
    case bisquare(Double)

    package static let standardHuber = RobustWeight.huber(1.345)
    package static let standardBisquare = RobustWeight.bisquare(4.685)

    package func callAsFunction(_ u: Double) -> Double {
        switch self {
        case .huber(let c): abs(u) <= c ? 1 : c / abs(u)
        case .bisquare(let c):
            if abs(u) < c {
                { (t: Double) in t * t }(1 - (u / c) * (u / c))
            } else {
                0
            }
        }
    }

    /// Derivative of ψ(u) = u·w(u).
    func psiDerivative(_ u: Double) -> Double {
        switch self {
        case .huber(let c): return abs(u) <= c ? 1 : 0
        case .bisquare(let c):
            let t = (u / c) * (u / c)
            return t < 1 ? (1 - t) * (1 - 5 * t) : 0
        }
    }

    /// Φ⁻¹(3/4): the median of |normal| is this many standard deviations.
    package static let normalQuartile = 0.674_489_750_196_081_7

    /// Robust standard deviation of residuals about zero: median |r| / 0.6745.
    package static func scale(_ residuals: [Double]) -> Double { residuals.map { abs($0) }.median() / normalQuartile }
}
