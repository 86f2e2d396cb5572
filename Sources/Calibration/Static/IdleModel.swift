import Foundation
import Metrology

/// Idle power against SoC temperature at one clock, board plane:
/// a line `P50 + λ(T − 50)`, or with leakage `P_base + L0·exp((T − 50)/θ)` where the data show the bend.
package struct IdleModel: Sendable, Codable, Equatable {
    package enum Form: String, Sendable, Codable { case level, line, exponential }

    package var form: Form
    /// level: [P50]; line: [P50, λ]; exponential: [P_base, L0, θ]. W, W/°C, °C.
    package var parameters: [Double]
    package var covariance: [[Double]]
    /// SoC temperatures measured, lowest and highest, °C.
    package var socCelsius: [Double]
    package var points: Int
    /// Between-repeat standard deviation, W.
    package var repeatabilityWatts: Double
    /// BIC of the line minus BIC of the exponential; above 6 the bend is taken as real.
    package var bicGain: Double?
    /// Parameters that rest on a physical bound ("L0 = 0", "theta = 80").
    package var activeBounds: [String]
    package var setAside: [SetAside]

    static let thetaRange = 10.0...80.0
    /// Below this span the bend cannot be told from noise whatever BIC says.
    static let smallestSpanForBend = 15.0

    static func fit(_ plateaus: [StaticPlateau], cable: CableFit, what: String) throws -> IdleModel {
        guard plateaus.count >= 2 else {
            throw CalibrationError.badInput(
                file: what, line: plateaus.first?.line, reason: "\(plateaus.count) idle plateau; at least 2 are needed")
        }
        let power = plateaus.map { cable.boardPower(meterWatts: $0.powerWatts, meterVolts: $0.supplyVolts) }
        let soc = plateaus.compactMap(\.socCelsius)
        guard soc.count == power.count else {
            throw CalibrationError.badInput(
                file: what, line: plateaus.first?.line, reason: "an idle plateau has no SoC temperature")
        }
        let range = [soc.min() ?? 50, soc.max() ?? 50]
        let span = range[1] - range[0]
        let ones = soc.map { _ in 1.0 }
        let sloped = span >= 3 && soc.count >= 4
        let design = sloped ? Matrix(columns: [ones, soc.map { $0 - 50 }]) : Matrix(columns: [ones])
        let floor = max(0.3 * plateaus.map(\.standardErrorWatts).median(), 1e-6)
        let line = try RobustFit(design, power, start: .leastAbsolute, minimumScale: floor, what: what)
        var model = IdleModel(
            form: sloped ? .line : .level, parameters: line.coefficients,
            covariance: (0..<design.columns).map(line.cautiousCovariance.row), socCelsius: range, points: soc.count,
            repeatabilityWatts: line.scale, bicGain: nil, activeBounds: [], setAside: [])
        var weights = line.weights
        if span >= smallestSpanForBend, soc.count >= 6,
            let bent = try? Bent(soc: soc, power: power, floor: floor, lineScale: line.scale, what: what)
        {
            // Both forms judged on the same rows, those that fit the exponential or the line.
            let kept = soc.indices.filter { bent.weights[$0] >= 0.1 || line.weights[$0] >= 0.1 }
            let both = zip(kept.map { line.residuals[$0] }, kept.map { bent.residuals[$0] })
            let cap = 5 * bent.scale
            let gain = both.reduce(into: (line: 0.0, bent: 0.0)) { sums, pair in
                sums.line += min(pair.0 * pair.0, cap * cap)
                sums.bent += min(pair.1 * pair.1, cap * cap)
            }
            let n = kept.count
            let bicGain =
                RegressionDiagnostics.bic(rss: gain.line, observations: n, parameters: 2)
                - RegressionDiagnostics.bic(rss: gain.bent, observations: n, parameters: 3)
            model.bicGain = bicGain
            if bicGain > 6 {
                model.form = .exponential
                model.parameters = bent.parameters
                model.covariance = bent.covariance
                model.repeatabilityWatts = bent.scale
                model.activeBounds = bent.activeBounds
                weights = bent.weights
            }
        }
        model.setAside = zip(plateaus, weights).filter { $0.1 < 0.1 }.map {
            SetAside(line: $0.0.line, reason: "\(what) plateau off the curve, robust weight below 0.1")
        }
        // The cable's resistance moves all idle plateaus together: it belongs to the level.
        let current = zip(power, plateaus).map { $0 / $1.supplyVolts }.mean()
        let common = current * current * cable.resistanceOhms.u
        model.covariance[0][0] += common * common
        return model
    }

    /// Value and gradient by the parameters at SoC temperature `t`.
    private func evaluate(_ t: Double) -> (value: Double, gradient: [Double]) {
        switch form {
        case .level: return (parameters[0], [1])
        case .line: return (parameters[0] + parameters[1] * (t - 50), [1, t - 50])
        case .exponential:
            let bend = exp((t - 50) / parameters[2])
            let (l0, theta) = (parameters[1], parameters[2])
            return (parameters[0] + l0 * bend, [1, bend, -l0 * bend * (t - 50) / (theta * theta)])
        }
    }

    /// Idle power, W, without regard to the range measured; see `isInRange`.
    package func extrapolated(socCelsius t: Double) -> Estimate {
        let (value, gradient) = evaluate(t)
        var variance = 0.0
        for (i, gi) in gradient.enumerated() {
            for (j, gj) in gradient.enumerated() { variance += gi * gj * covariance[i][j] }
        }
        return Estimate(value: value, u: max(variance, 0).squareRoot())
    }

    /// Within the temperatures measured, or 10 % of their span (at least 1 °C) beyond.
    package func isInRange(socCelsius t: Double) -> Bool {
        let margin = max(0.1 * (socCelsius[1] - socCelsius[0]), 1)
        return t >= socCelsius[0] - margin && t <= socCelsius[1] + margin
    }

    /// Idle power, W, with its standard uncertainty.
    /// - Throws: `outsideValidity`.
    package func predict(socCelsius t: Double) throws(CalibrationError) -> Estimate {
        guard isInRange(socCelsius: t) else {
            throw .outsideValidity(quantity: "soc_c", value: t, range: socCelsius[0]...socCelsius[1])
        }
        return extrapolated(socCelsius: t)
    }

    /// dP/dT at 50 °C, W/°C: the leakage slope the dynamic model takes from here; nil for a level.
    package var leakageAt50: Estimate? {
        switch form {
        case .level: return nil
        case .line: return Estimate(value: parameters[1], u: covariance[1][1].squareRoot())
        case .exponential:
            let (l0, theta) = (parameters[1], parameters[2])
            let g = [0, 1 / theta, -l0 / (theta * theta)]
            var variance = 0.0
            for i in 0..<3 { for j in 0..<3 { variance += g[i] * g[j] * covariance[i][j] } }
            return Estimate(value: l0 / theta, u: max(variance, 0).squareRoot())
        }
    }

    /// Exponential fit: soft-L1 (scale 3) from several θ, then bisquare.
    private struct Bent {
        var parameters: [Double]
        var covariance: [[Double]]
        var residuals: [Double]
        var weights: [Double]
        var scale: Double
        var activeBounds: [String] = []

        init(soc: [Double], power: [Double], floor: Double, lineScale: Double, what: String) throws {
            var solver = LevenbergMarquardt()
            solver.lower = [0, 0, IdleModel.thetaRange.lowerBound]
            solver.upper = [.infinity, .infinity, IdleModel.thetaRange.upperBound]
            solver.maximumIterations = 200
            func residuals(_ x: [Double]) -> [Double] {
                zip(soc, power).map { $1 - x[0] - x[1] * exp(($0 - 50) / x[2]) }
            }
            func solve(_ start: [Double], _ weights: [Double]) throws -> LevenbergMarquardt.Solution {
                let roots = weights.map { $0.squareRoot() }
                return try solver.minimize(from: start, what: what) { x in
                    var jacobian = Matrix(rows: soc.count, columns: 3)
                    let r = residuals(x)
                    for i in soc.indices {
                        let bend = exp((soc[i] - 50) / x[2])
                        jacobian[i, 0] = -roots[i]
                        jacobian[i, 1] = -roots[i] * bend
                        jacobian[i, 2] = roots[i] * x[1] * bend * (soc[i] - 50) / (x[2] * x[2])
                    }
                    return .init(residuals: zip(r, roots).map { $0 * $1 }, jacobian: jacobian)
                }
            }
            var best: (cost: Double, x: [Double])?
            let level = power.median()
            for theta in [15.0, 28, 50] {
                var x = [0.85 * level, 0.15 * level, theta]
                var cost = Double.infinity
                for _ in 0..<40 {
                    let r = residuals(x)
                    let z = r.map { ($0 / (3 * lineScale)) * ($0 / (3 * lineScale)) }
                    let next = try solve(x, z.map { 1 / (1 + $0).squareRoot() }).parameters
                    cost = residuals(next).map {
                        2 * ((1 + ($0 / (3 * lineScale)) * ($0 / (3 * lineScale))).squareRoot() - 1)
                    }.compensatedSum()
                    let moved = zip(next, x).map { abs($0 - $1) / abs($1) }.max() ?? 0
                    x = next
                    if moved < 1e-7 { break }
                }
                if cost < best?.cost ?? .infinity { best = (cost, x) }
            }
            guard var x = best?.x else { throw CalibrationError.notEnough(what: what, reason: "no exponential found") }
            var weights = [Double](repeating: 1, count: soc.count)
            var scale = lineScale
            for _ in 0..<60 {
                scale = max(RobustWeight.scale(residuals(x)), floor)
                weights = residuals(x).map { RobustWeight.standardBisquare($0 / scale) }
                let next = try solve(x, weights).parameters
                let moved = zip(next, x).map { abs($0 - $1) / abs($1) }.max() ?? 0
                x = next
                if moved < 1e-8 { break }
            }
            let solution = try solve(x, weights)
            self.weights = weights
            self.residuals = residuals(x)
            self.scale = scale
            parameters = x
            let kept = weights.reduce(0, +)
            let few = StudentDistribution.quantile(0.975, degreesOfFreedom: max(kept - 3, 1)) / 1.959_963_984_540_054
            let variance = max(solution.rss / max(kept - 3, 1), scale * scale) * few * few
            let free = (0..<3).filter { j in
                !(j == 2 && (x[2] <= IdleModel.thetaRange.lowerBound || x[2] >= IdleModel.thetaRange.upperBound))
                    && !(j == 1 && x[1] <= 0) && !(j == 0 && x[0] <= 0)
            }
            let names = ["P_base", "L0", "theta"]
            activeBounds = (0..<3).filter { !free.contains($0) }.map { "\(names[$0]) = \(x[$0])" }
            let gram = PivotedQR(solution.jacobian.selecting(columns: free)).inverseGram()
            var full = [[Double]](repeating: [0, 0, 0], count: 3)
            for (a, i) in free.enumerated() { for (b, j) in free.enumerated() { full[i][j] = variance * gram[a, b] } }
            covariance = full
        }
    }
}
