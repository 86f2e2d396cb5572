import Glibc

/// The only source of chance in the virtual bench: the same seed gives the same bench, bit for bit.
///
/// Generator: SplitMix64 (Steele, Lea, Flood 2014); normals by the Box-Muller transform.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64
    private var spareNormal: Double?

    package init(seed: UInt64) { state = seed }

    /// An independent stream: `purpose` keeps two uses of one seed apart.
    package init(seed: UInt64, purpose: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        state = seed &* 0x9e37_79b9_7f4a_7c15 ^ hash
        _ = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1), 53 bits.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    package mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Standard normal.
    package mutating func normal() -> Double {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        let radius = (-2 * log(1 - uniform())).squareRoot()
        let angle = 2 * Double.pi * uniform()
        spareNormal = radius * sin(angle)
        return radius * cos(angle)
    }
}

/// A latency that varies from one time to the next: log-normal about its median.
package struct LatencyTruth: Codable, Sendable, Equatable {
    package var medianSeconds: Double
    /// Standard deviation of the natural logarithm; 0 = constant.
    package var logSigma: Double

    package init(_ medianSeconds: Double, logSigma: Double = 0) {
        self.medianSeconds = medianSeconds
        self.logSigma = logSigma
    }

    package func draw(_ generator: inout SeededGenerator) -> Double {
        medianSeconds * exp(logSigma * generator.normal())
    }
}

/// Nanoseconds of a number of seconds, rounded.
func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }
