/// What a running board is doing, as far as its power is concerned (calibration reference 3.3).
package struct BoardLoad: Codable, Sendable, Equatable {
    package enum Mix: String, Codable, Sendable {
        /// Integer or scalar load, as `stress` makes it.
        case scalar
        /// Matrix work of training; may have its own cost per core (`cCoreTrain`).
        case training
    }

    /// Clock of the cores, MHz.
    package var megahertz: Int
    /// Sum of core utilisations, 0…4.
    package var utilisation: Double
    /// Rates at the network interface, Mbit/s.
    package var sendMbitPerSecond: Double
    package var receiveMbitPerSecond: Double
    package var mix: Mix

    package init(
        megahertz: Int, utilisation: Double, sendMbitPerSecond: Double = 0, receiveMbitPerSecond: Double = 0,
        mix: Mix = .scalar
    ) {
        self.megahertz = megahertz
        self.utilisation = utilisation
        self.sendMbitPerSecond = sendMbitPerSecond
        self.receiveMbitPerSecond = receiveMbitPerSecond
        self.mix = mix
    }

    /// Nothing to do, governor at its floor.
    package static let idle = BoardLoad(megahertz: 600, utilisation: 0.02)

    /// `cores` cores fully busy at the top clock.
    package static func busy(cores: Double, megahertz: Int = 1500, mix: Mix = .scalar) -> BoardLoad {
        BoardLoad(megahertz: megahertz, utilisation: cores, mix: mix)
    }
}

/// Core voltage of an operating point, V. Points as `measure_volts` gave them in the calibration data; between them
/// linear, outside them the nearest.
package func coreVoltage(megahertz: Int) -> Double {
    let points: [(mhz: Double, volts: Double)] = [
        (600, 0.8375), (750, 0.8438), (1000, 0.8438), (1500, 0.88), (1800, 0.95),
    ]
    let f = Double(megahertz)
    guard var below = points.first, f > below.mhz else { return points.first?.volts ?? 0 }
    for point in points.dropFirst() {
        if f <= point.mhz {
            return below.volts + (point.volts - below.volts) * (f - below.mhz) / (point.mhz - below.mhz)
        }
        below = point
    }
    return below.volts
}
