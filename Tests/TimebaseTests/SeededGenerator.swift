import Foundation

/// SplitMix64: small, seeded, the same on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func uniform() -> Double { Double.random(in: 0..<1, using: &self) }
    mutating func exponential(mean: Double) -> Double { -mean * Foundation.log(1 - uniform()) }
    mutating func normal() -> Double {
        (-2 * Foundation.log(1 - uniform())).squareRoot() * Foundation.cos(2 * .pi * uniform())
    }
}
