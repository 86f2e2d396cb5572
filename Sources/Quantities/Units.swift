/// A physical unit, known to the compiler; quantities of different units do not mix.
package protocol PhysicalUnit: Sendable {
    /// Symbol as printed behind a number, SI or the field's own ("W", "Wh", "gCO2e").
    static var symbol: String { get }
}

/// Electric potential, V.
package enum Volts: PhysicalUnit { package static let symbol = "V" }
/// Electric current, A.
package enum Amperes: PhysicalUnit { package static let symbol = "A" }
/// Power, W.
package enum Watts: PhysicalUnit { package static let symbol = "W" }
/// Energy, J.
package enum Joules: PhysicalUnit { package static let symbol = "J" }
/// Energy, Wh (3600 J).
package enum WattHours: PhysicalUnit { package static let symbol = "Wh" }
/// Time, s.
package enum Seconds: PhysicalUnit { package static let symbol = "s" }
/// Resistance, Ω.
package enum Ohms: PhysicalUnit { package static let symbol = "Ω" }
/// Mass of greenhouse gases as carbon dioxide equivalent, g.
package enum GramsCO2e: PhysicalUnit { package static let symbol = "gCO2e" }
/// Carbon intensity of electricity, g CO2e per kWh.
package enum GramsPerKilowattHour: PhysicalUnit { package static let symbol = "g/kWh" }
/// A pure number.
package enum Ratio: PhysicalUnit { package static let symbol = "1" }

/// Joules in one watt-hour (exact).
package let joulesPerWattHour = 3600.0
