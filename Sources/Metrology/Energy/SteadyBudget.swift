/// The budget of a steady stretch worked out from its inputs alone: constant V and I for T seconds.
///
/// The closed form of what `MeterEnergy` does from samples (calibration.md 2.3); for planning a measurement and for
/// checking the budget against Monte Carlo.
package struct SteadyBudget: Sendable, Equatable {
    /// V, A, s.
    package var volts: Double
    package var amperes: Double
    package var seconds: Double
    /// Share of the samples missing, 0...1.
    package var missingFraction = 0.0
    /// Relative standard uncertainties of the gains; V and A of the offsets.
    package var gainVoltage = 0.0
    package var gainCurrent = 0.0
    package var offsetVolts = 0.0
    package var offsetAmperes = 0.0
    /// Relative standard uncertainties of the tick and, per channel, from temperature.
    package var tick = 0.0
    package var temperature = 0.0
    /// Standard uncertainty of each border, s.
    package var borderSeconds = 0.0
    /// Noise of one sample, V and A, and independent samples per second at 1 kHz over 1000.
    package var noiseVolts = 0.0
    package var noiseAmperes = 0.0
    package var effectiveSampleRatio = 0.475
    package var sampleRateHertz = 1000.0
    /// The board's own variation: standard deviation, W, and correlation time, s.
    package var processWatts = 0.0
    package var processSeconds = 0.0

    package init(volts: Double, amperes: Double, seconds: Double) {
        self.volts = volts
        self.amperes = amperes
        self.seconds = seconds
    }

    package var joules: Double { volts * amperes * seconds }

    package var budget: EnergyBudget {
        let energy = joules
        let samples = max(1, effectiveSampleRatio * sampleRateHertz * seconds * (1 - missingFraction))
        let gapSeconds = missingFraction * seconds
        return EnergyBudget(terms: [
            .init(.gainVoltage, .meter, joules: energy * gainVoltage),
            .init(.offsetVoltage, .meter, joules: amperes * seconds * offsetVolts),
            .init(.gainCurrent, .meter, joules: energy * gainCurrent),
            .init(.offsetCurrent, .meter, joules: volts * seconds * offsetAmperes),
            .init(.tick, .meter, joules: energy * tick),
            .init(.temperatureVoltage, .meter, joules: energy * temperature),
            .init(.temperatureCurrent, .meter, joules: energy * temperature),
            .init(.border, .border(0), joules: -volts * amperes * borderSeconds),
            .init(.border, .border(1), joules: volts * amperes * borderSeconds),
            .init(.noise, .none, joules: amperes * seconds * noiseVolts / samples.squareRoot()),
            .init(.noise, .none, joules: volts * seconds * noiseAmperes / samples.squareRoot()),
            .init(.gap, .none, joules: processWatts * (2 * processSeconds * gapSeconds).squareRoot()),
        ])
    }
}
