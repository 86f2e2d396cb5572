/// One channel of a meter: `reading = offset + gain · true`, with standard uncertainties (k = 1).
package struct ChannelCorrection: Sendable, Equatable {
    /// Reading per true value, close to 1.
    package var gain: Double
    /// Reading at zero, V or A.
    package var offset: Double
    package var gainUncertainty: Double
    package var offsetUncertainty: Double
    /// Correlation of the two estimates, −1...1. Over a narrow voltage range it is close to −1.
    package var correlation: Double
    /// Part of the gain's uncertainty that comes from the reference and is shared by all meters calibrated with it;
    /// contained in `gainUncertainty`.
    package var referenceGainUncertainty: Double

    package init(
        gain: Double = 1, offset: Double = 0, gainUncertainty: Double, offsetUncertainty: Double,
        correlation: Double = 0, referenceGainUncertainty: Double = 0
    ) {
        self.gain = gain
        self.offset = offset
        self.gainUncertainty = gainUncertainty
        self.offsetUncertainty = offsetUncertainty
        self.correlation = correlation
        self.referenceGainUncertainty = referenceGainUncertainty
    }
}

/// What turns readings into volts and amperes, and how well: from a certificate, or the maker's limits without one.
package struct MeterCorrection: Sendable, Equatable {
    package var voltage: ChannelCorrection
    package var current: ChannelCorrection
    /// Relative change of each channel per °C, limit of a rectangular distribution.
    package var temperatureCoefficient: Double
    /// Difference between the meter's temperature now and at calibration, °C.
    package var temperatureDifference: Double
    /// Certificate behind it; nil: uncalibrated, the maker's limits are taken.
    package var certificate: String?
    /// Noise of one conversion (k = 1), V and A, and independent conversions per sample.
    package var noiseVolts: Double
    package var noiseAmperes: Double
    package var effectiveSampleRatio: Double

    package init(
        voltage: ChannelCorrection, current: ChannelCorrection, temperatureCoefficient: Double = 20e-6,
        temperatureDifference: Double = 5, certificate: String?, noiseVolts: Double = 1.07e-3,
        noiseAmperes: Double = 0.37e-3, effectiveSampleRatio: Double = 0.475
    ) {
        self.voltage = voltage
        self.current = current
        self.temperatureCoefficient = temperatureCoefficient
        self.temperatureDifference = temperatureDifference
        self.certificate = certificate
        self.noiseVolts = noiseVolts
        self.noiseAmperes = noiseAmperes
        self.effectiveSampleRatio = effectiveSampleRatio
    }

    /// No certificate: gain limits 0.25 % (maker's manual of the sister model), offset limits 5 mV and 1 mA, all
    /// rectangular. The manual states no offset; 1 mA is what the software's pre-flight check still accepts.
    package static let uncalibrated = MeterCorrection(
        voltage: ChannelCorrection(
            gainUncertainty: 0.0025 / 3.0.squareRoot(), offsetUncertainty: 5e-3 / 3.0.squareRoot()),
        current: ChannelCorrection(
            gainUncertainty: 0.0025 / 3.0.squareRoot(), offsetUncertainty: 1e-3 / 3.0.squareRoot()),
        certificate: nil)
}
