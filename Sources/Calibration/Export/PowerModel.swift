import Metrology

/// What the optimiser and the reports receive: per board and per fleet, powers of the resting states, the dynamic model
/// with its covariance, the ranges in which it holds, and where it all came from. Board plane unless a name says meter.
package struct PowerModel: Sendable, Codable, Equatable {
    package static let currentVersion = 1

    package var version: Int
    /// Date and time of the fit as the caller gives it, ISO 8601.
    package var created: String
    /// Program and version that made it.
    package var software: String
    package var boards: [String: Board]
    package var fleet: Dynamic?
    package var provenance: [Source]
    /// Identifiers of the meter certificates the measurements were corrected with; empty means uncorrected, and says so.
    package var meterCertificates: [String]

    /// A file the model was fitted from.
    package struct Source: Sendable, Codable, Equatable {
        package var path: String
        package var sha256: String
        package init(path: String, sha256: String) {
            self.path = path
            self.sha256 = sha256
        }

        package init(path: String, bytes: [UInt8]) { self.init(path: path, sha256: SHA256.hexadecimal(bytes)) }
    }

    package struct Board: Sendable, Codable, Equatable {
        package var cableOhms: Estimate?
        package var pmicOff: TemperatureLine?
        package var halt: TemperatureLine?
        package var idle: [Int: IdleModel]
        package var dynamic: Dynamic?
    }

    /// The dynamic model of one board or of the fleet.
    package struct Dynamic: Sendable, Codable, Equatable {
        /// Names of `parameters` in order: P_base, a_T, k_clk, c_unc, c_core, e_tx, e_rx.
        package var names: [String]
        package var parameters: [Double]
        package var covariance: [[Double]]
        /// One step about the model: s0 (W) and s1 (relative), `s² = s0² + (s1·P)²`.
        package var stepNoise: [Double]
        /// Spread of boards that a board without its own data carries: intercept (W) and relative gain; zero for a known board.
        package var betweenBoardInterceptWatts: Double
        package var betweenBoardGain: Double
        package var validity: ValidityRanges
        package var leakage: LeakageSlope

        /// Power at the board plane, W, with its standard uncertainty `u² = xᵀΣx + s²` (plus the spread of boards).
        /// - Throws: `outsideValidity` for a regressor more than 10 % outside the range measured.
        package func predict(_ load: BoardLoad) throws(CalibrationError) -> Estimate {
            try validity.check(load)
            let x = load.regressors
            let mean = zip(x, parameters).map { $0 * $1 }.compensatedSum()
            var variance = 0.0
            for i in x.indices { for j in x.indices { variance += x[i] * x[j] * covariance[i][j] } }
            let dynamic = zip(x, parameters).dropFirst(2).map { $0 * $1 }.reduce(0, +)
            let noise = stepNoise[0] * stepNoise[0] + stepNoise[1] * stepNoise[1] * mean * mean
            let spread =
                betweenBoardInterceptWatts * betweenBoardInterceptWatts
                + betweenBoardGain * betweenBoardGain * dynamic * dynamic
            return Estimate(value: mean, u: (max(variance, 0) + noise + spread).squareRoot())
        }
    }

    /// Joins a static and a dynamic fit; either may be missing, not both.
    package init(
        staticModel: StaticModel?, dynamicModel: DynamicModel?, created: String, software: String, provenance: [Source],
        meterCertificates: [String] = []
    ) throws(CalibrationError) {
        guard staticModel != nil || dynamicModel != nil else {
            throw .notEnough(what: "power model", reason: "neither a static nor a dynamic fit given")
        }
        version = Self.currentVersion
        self.created = created
        self.software = software
        self.provenance = provenance
        self.meterCertificates = meterCertificates
        fleet = dynamicModel.map { Dynamic(fleet: $0) }
        boards = [:]
        let names = Set(staticModel.map { Array($0.boards.keys) } ?? [])
            .union(dynamicModel.map { Array($0.boards.keys) } ?? [])
        for name in names {
            let fixed = staticModel?.boards[name]
            boards[name] = Board(
                cableOhms: fixed?.cable.resistanceOhms, pmicOff: fixed?.pmicOff, halt: fixed?.halt,
                idle: fixed?.idle ?? [:],
                dynamic: dynamicModel.flatMap { model in model.boards[name].map { Dynamic(model, board: $0) } })
        }
    }

    /// Power of a board under load, W, board plane; a board the model has not seen gets the fleet's with the spread of boards.
    package func predict(board: String, _ load: BoardLoad) throws(CalibrationError) -> Estimate {
        guard let model = boards[board]?.dynamic ?? fleet else {
            throw .notEnough(what: "power model", reason: "no dynamic model for board \(board)")
        }
        return try model.predict(load)
    }

    /// The same at the meter plane: the cable's loss `R·(P/V)²` on top.
    package func predictAtMeter(board: String, _ load: BoardLoad, supplyVolts: Double) throws(CalibrationError)
        -> Estimate
    {
        let power = try predict(board: board, load)
        guard let cable = boards[board]?.cableOhms else {
            throw .notEnough(what: "power model", reason: "no cable resistance for board \(board)")
        }
        let current = power.value / supplyVolts
        let slope = 1 + 2 * cable.value * current / supplyVolts
        let u = (slope * slope * power.u * power.u + current * current * current * current * cable.u * cable.u)
            .squareRoot()
        return Estimate(value: power.value + cable.value * current * current, u: u)
    }
}

extension PowerModel.Dynamic {
    /// The fleet's model: for a board nobody has measured.
    init(fleet model: DynamicModel) {
        self.init(
            names: DynamicModel.parameterNames, parameters: model.parameters, covariance: model.covariance,
            stepNoise: model.stepNoise, betweenBoardInterceptWatts: model.betweenBoardInterceptWatts,
            betweenBoardGain: model.betweenBoardGain, validity: model.validity, leakage: model.leakage)
    }

    /// One board's model: its own intercept and gain in place of the fleet's.
    init(_ model: DynamicModel, board: BoardDynamic) {
        var parameters = model.parameters
        parameters[0] = board.interceptWithGainWatts
        var covariance = model.covariance
        let gain = board.shrunkGain
        for k in 2..<parameters.count { parameters[k] *= gain.value }
        for i in 0..<parameters.count {
            for j in 0..<parameters.count {
                covariance[i][j] *= (i >= 2 ? gain.value : 1) * (j >= 2 ? gain.value : 1)
                if i >= 2, j >= 2 { covariance[i][j] += gain.u * gain.u * model.parameters[i] * model.parameters[j] }
            }
        }
        self.init(
            names: DynamicModel.parameterNames, parameters: parameters, covariance: covariance,
            stepNoise: model.stepNoise,
            betweenBoardInterceptWatts: 0, betweenBoardGain: 0, validity: model.validity, leakage: model.leakage)
    }
}
