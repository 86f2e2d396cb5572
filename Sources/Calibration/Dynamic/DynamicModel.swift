import Metrology

/// Where the leakage slope comes from. It is never fitted from dynamic data: temperature follows power there, so the
/// fit would hand part of the load's power to it and bias every other coefficient (by 3 to 26 % in simulation).
package struct LeakageSlope: Sendable, Codable, Equatable {
    package enum Source: String, Sendable, Codable { case staticTest, assumed }

    /// W/°C and its standard uncertainty.
    package var slope: Estimate
    package var source: Source

    package init(slope: Estimate, source: Source) {
        self.slope = slope
        self.source = source
    }

    /// From the static test.
    package static func measured(_ slope: Estimate) -> LeakageSlope { LeakageSlope(slope: slope, source: .staticTest) }

    /// Without a static test: bare Pi 4B boards are expected between 5 and 15 mW/°C, taken as a rectangle
    /// (10 ± 10/√12 mW/°C). A setting, shown as assumed wherever the model goes.
    package static let assumed = LeakageSlope(
        slope: Estimate(value: 0.010, u: 0.010 / 12.0.squareRoot()), source: .assumed)
}

/// How far predictions were from measurements, in per cent of the measurement.
package struct PredictionErrors: Sendable, Codable, Equatable {
    package var rows: Int
    package var meanAbsolutePercent: Double
    package var medianAbsolutePercent: Double
    /// Mean signed error: predicted minus measured.
    package var biasPercent: Double
    package var percentile95Percent: Double

    package init(predicted: [Double], measured: [Double]) {
        let signed = zip(predicted, measured).map { 100 * ($0 - $1) / $1 }
        let size = signed.map { abs($0) }
        rows = signed.count
        meanAbsolutePercent = size.mean()
        medianAbsolutePercent = size.median()
        biasPercent = signed.mean()
        percentile95Percent = size.quantile(0.95)
    }
}

/// What one board adds to the shared coefficients.
package struct BoardDynamic: Sendable, Codable, Equatable {
    /// Power at SoC 50 °C with nothing clocked, W, with the shared coefficients.
    package var interceptWatts: Estimate
    /// Ratio of this board's dynamic power to the fleet's, and the same drawn towards one as far as it is uncertain.
    package var gain: Estimate
    package var shrunkGain: Estimate
    /// Intercept that goes with `shrunkGain`, W.
    package var interceptWithGainWatts: Double
    package var rows: Int
    package var idleRows: Int
}

/// Dynamic power model of a fleet of like boards, board plane:
/// `P = P50_board + λ(T−50) + V²f·(k_clk + c_unc·min(1,U) + c_core·U) + e_tx·R_tx + e_rx·R_rx`.
package struct DynamicModel: Sendable, Codable, Equatable {
    /// Order of `parameters`, `covariance` and of every regressor vector.
    package static let parameterNames = ["P_base", "a_T"] + DynamicTerm.allCases.map(\.key)

    /// P_base is the mean over boards at 50 °C. Coefficients the data did not vary are 0 with `undetermined` naming them.
    package var parameters: [Double]
    /// Covariance of `parameters`, row by row; the uncertainty of the leakage slope is carried through all of them.
    package var covariance: [[Double]]
    /// Standard errors of three kinds, leakage not included, for the table.
    package var hc3Errors: [String: Double]
    package var clusterErrors: [String: Double]
    package var bootstrapErrors: [String: Double]?
    package var undetermined: [String]
    /// Coefficients that rest on zero.
    package var activeBounds: [String]
    package var leakage: LeakageSlope
    package var boards: [String: BoardDynamic]
    /// Standard deviation of intercepts between boards, W, and of gains.
    package var betweenBoardInterceptWatts: Double
    package var betweenBoardGain: Double
    /// Standard deviation of one step about the model: `s0² + (s1·P)²`.
    package var stepNoise: [Double]
    package var validity: ValidityRanges
    package var rowsUsed: Int
    package var rowsThrottled: Int
    package var setAside: [SetAside]
    package var inSample: PredictionErrors
    package var inSampleWithGains: PredictionErrors
    package var kFold: PredictionErrors?
    /// Every board predicted from the others, with and without its own idle anchor.
    package var leaveOneBoardOutAnchored: [String: PredictionErrors]
    package var leaveOneBoardOut: [String: PredictionErrors]
    package var diagnostics: [Diagnostic]

    /// Mean over boards of the median absolute error with idle anchor, %; nil with a single board.
    package var leaveOneBoardOutAnchoredMedianPercent: Double? {
        leaveOneBoardOutAnchored.isEmpty
            ? nil : leaveOneBoardOutAnchored.values.map(\.medianAbsolutePercent).mean()
    }

    package struct Options: Sendable {
        package enum Bootstrap: Sendable { case whenBoundsAreActive, always, never }

        package var leakage = LeakageSlope.assumed
        package var bootstrap = Bootstrap.whenBoundsAreActive
        package var bootstrapDraws = 500
        package var seed: UInt64 = 1
        /// Leave out cross-validation where only coefficients are wanted.
        package var validates = true
        package init() {}
    }
}

/// The ranges of every regressor in the data: the model speaks inside them and 10 % beyond, and refuses outside.
package struct ValidityRanges: Sendable, Codable, Equatable {
    /// [lowest, highest] of f (MHz), core voltage (V), utilisation, traffic (Mbit/s), SoC temperature (°C).
    package var frequencyMegahertz: [Double]
    package var coreVolts: [Double]
    package var utilization: [Double]
    package var transmitMegabits: [Double]
    package var receiveMegabits: [Double]
    package var socCelsius: [Double]

    init(_ steps: [DynamicStep]) {
        func range(_ key: (DynamicStep) -> Double) -> [Double] {
            let values = steps.map(key)
            return [values.min() ?? 0, values.max() ?? 0]
        }
        frequencyMegahertz = range(\.frequencyMegahertz)
        coreVolts = range(\.coreVolts)
        utilization = range(\.utilization)
        transmitMegabits = range(\.transmitMegabits)
        receiveMegabits = range(\.receiveMegabits)
        socCelsius = range(\.socCelsius)
    }

    /// - Throws: `outsideValidity` for the first regressor more than 10 % of its span outside.
    package func check(_ load: BoardLoad) throws(CalibrationError) {
        let pairs: [(String, Double, [Double])] = [
            ("f_mhz", load.frequencyMegahertz, frequencyMegahertz), ("vcore_v", load.coreVolts, coreVolts),
            ("util_sum", load.utilization, utilization), ("tx_mbit_s", load.transmitMegabits, transmitMegabits),
            ("rx_mbit_s", load.receiveMegabits, receiveMegabits), ("soc_c", load.socCelsius, socCelsius),
        ]
        for (name, value, range) in pairs {
            let margin = 0.1 * (range[1] - range[0]) + 1e-9 * abs(range[1])
            guard value >= range[0] - margin, value <= range[1] + margin else {
                throw .outsideValidity(quantity: name, value: value, range: range[0]...range[1])
            }
        }
    }
}

/// A state of a board to predict the power of.
package struct BoardLoad: Sendable, Codable, Equatable {
    package var frequencyMegahertz: Double
    package var coreVolts: Double
    package var utilization: Double
    package var transmitMegabits: Double
    package var receiveMegabits: Double
    package var socCelsius: Double

    package init(
        frequencyMegahertz: Double, coreVolts: Double, utilization: Double, transmitMegabits: Double = 0,
        receiveMegabits: Double = 0, socCelsius: Double
    ) {
        self.frequencyMegahertz = frequencyMegahertz
        self.coreVolts = coreVolts
        self.utilization = utilization
        self.transmitMegabits = transmitMegabits
        self.receiveMegabits = receiveMegabits
        self.socCelsius = socCelsius
    }

    /// Regressors in the order of `DynamicModel.parameterNames`.
    package var regressors: [Double] {
        let switching = coreVolts * coreVolts * frequencyMegahertz / 1000
        return [
            1, socCelsius - 50, switching, switching * min(1, max(0, utilization)), switching * max(0, utilization),
            transmitMegabits, receiveMegabits,
        ]
    }
}
