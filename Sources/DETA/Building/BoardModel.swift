package import Quantities

/// What the optimiser needs of a calibrated board: the power model's parameters with their covariance.
package struct BoardModel: Sendable, Equatable {
    /// Parameters in the order of `covariance`.
    package enum Parameter: Int, CaseIterable, Sendable {
        case idleW, sleepW, batchWh, wakeWh, wakeSlotFraction, capacityBatches

        /// Name in model files.
        package var name: String {
            switch self {
            case .idleW: "p_idle_w"
            case .sleepW: "p_sleep_w"
            case .batchWh: "e_batch_wh"
            case .wakeWh: "wake_wh"
            case .wakeSlotFraction: "wake_slot_fraction"
            case .capacityBatches: "capacity_batches_per_slot"
            }
        }
    }

    package var id: String
    package var region: String
    /// Central values by `Parameter.rawValue`.
    package var values: [Double]
    /// 6 x 6, row by row, in the units of the parameters. All zero means "known exactly", so it must be stated.
    package var covariance: [Double]
    package var storageBatches: Double
    package var battery: Battery
    package var initiallyAwake: Bool

    /// A board whose parameters' errors are independent.
    /// - Parameters: powers W; energies Wh; capacity batches a slot; wakeSlotFraction share of the waking slot (0...1).
    /// - Throws: `DETAError.invalid` if an uncertainty is not evaluated, or a value is negative or not finite.
    package init(
        id: String, region: String, idle: Quantity<Watts>, sleep: Quantity<Watts>, batch: Quantity<WattHours>,
        wake: Quantity<WattHours>, wakeSlotFraction: Quantity<Ratio>, capacityBatches: Quantity<Ratio>,
        storageBatches: Double, battery: Battery = .none, initiallyAwake: Bool = true
    ) throws(DETAError) {
        let pairs = [
            (idle.value, idle.standardUncertainty), (sleep.value, sleep.standardUncertainty),
            (batch.value, batch.standardUncertainty), (wake.value, wake.standardUncertainty),
            (wakeSlotFraction.value, wakeSlotFraction.standardUncertainty),
            (capacityBatches.value, capacityBatches.standardUncertainty),
        ]
        var covariance = [Double](repeating: 0, count: 36)
        for (place, pair) in pairs.enumerated() {
            guard let u = pair.1 else {
                throw .invalid(
                    path: "\(id).\(Parameter.allCases[place].name)",
                    reason: "its uncertainty is not evaluated; a plan cannot carry it")
            }
            covariance[place * 7] = u * u
        }
        try self.init(
            id: id, region: region, values: pairs.map(\.0), covariance: covariance, storageBatches: storageBatches,
            battery: battery, initiallyAwake: initiallyAwake)
    }

    /// A board with a full covariance matrix.
    /// - Throws: `DETAError.invalid` if a value is out of range or the matrix is not a covariance.
    package init(
        id: String, region: String, values: [Double], covariance: [Double], storageBatches: Double,
        battery: Battery = .none, initiallyAwake: Bool = true
    ) throws(DETAError) {
        let count = Parameter.allCases.count
        guard values.count == count, covariance.count == count * count else {
            throw .invalid(path: id, reason: "\(count) values and \(count) x \(count) covariances are needed")
        }
        for parameter in Parameter.allCases {
            let value = values[parameter.rawValue]
            let most = parameter == .wakeSlotFraction ? 1 : Double.greatestFiniteMagnitude
            guard value.isFinite, value >= 0, value <= most else {
                throw .invalid(path: "\(id).\(parameter.name)", reason: "is out of range: \(value)")
            }
        }
        guard choleskyFactor(covariance, count) != nil else {
            throw .invalid(path: "\(id).covariance", reason: "is not symmetric and positive semidefinite")
        }
        self.id = id
        self.region = region
        self.values = values
        self.covariance = covariance
        self.storageBatches = storageBatches
        self.battery = battery
        self.initiallyAwake = initiallyAwake
    }

    package subscript(_ parameter: Parameter) -> Double { values[parameter.rawValue] }

    /// The server with these parameter values.
    func server(_ values: [Double]) -> Server {
        func value(_ parameter: Parameter) -> Double { values[parameter.rawValue] }
        return Server(
            id: id, region: region, idleW: value(.idleW), sleepW: value(.sleepW), wakeWh: value(.wakeWh),
            wakeSlotFraction: value(.wakeSlotFraction), initiallyAwake: initiallyAwake, batchWh: value(.batchWh),
            capacityBatches: value(.capacityBatches), storageBatches: storageBatches, battery: battery)
    }

    /// One draw of the parameters from a normal distribution with this covariance. Draws outside the physical range are
    /// drawn again and counted in `redrawn`.
    func draw(using random: inout SplitMix64, redrawn: inout Int) -> [Double] {
        let count = Parameter.allCases.count
        guard let factor = choleskyFactor(covariance, count) else { return values }
        for _ in 0..<1000 {
            let normals = (0..<count).map { _ in random.normal() }
            var drawn = values
            for row in 0..<count {
                for column in 0...row { drawn[row] += factor[row * count + column] * normals[column] }
            }
            let fits = drawn.allSatisfy { $0 >= 0 } && drawn[Parameter.wakeSlotFraction.rawValue] <= 1
            if fits { return drawn }
            redrawn += 1
        }
        return values
    }
}

/// Lower triangle L with L Lᵀ = matrix, for semidefinite matrices too; nil if the matrix is no covariance.
func choleskyFactor(_ matrix: [Double], _ count: Int) -> [Double]? {
    var factor = [Double](repeating: 0, count: count * count)
    for row in 0..<count {
        for column in 0...row {
            let scale = (abs(matrix[row * count + row]) * abs(matrix[column * count + column])).squareRoot()
            guard matrix[row * count + column].isFinite,
                abs(matrix[row * count + column] - matrix[column * count + row]) <= 1e-9 * max(scale, 1e-300)
            else { return nil }
            var rest = matrix[row * count + column]
            for k in 0..<column { rest -= factor[row * count + k] * factor[column * count + k] }
            if row == column {
                guard rest >= -1e-9 * max(scale, 1e-300) else { return nil }
                factor[row * count + row] = max(0, rest).squareRoot()
            } else if factor[column * count + column] > 0 {
                factor[row * count + column] = rest / factor[column * count + column]
            } else if abs(rest) > 1e-9 * max(scale, 1e-300) {
                return nil
            }
        }
    }
    return factor
}
