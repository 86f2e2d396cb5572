/// SHA-256 (FIPS 180-4), for the provenance of calibration inputs.
package enum SHA256 {
    /// Lower-case hexadecimal digest.
    package static func hexadecimal(_ bytes: [UInt8]) -> String {
        digest(bytes).map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }

    private static func digest(_ message: [UInt8]) -> [UInt32] {
        var h = initial
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        var w = [UInt32](repeating: 0, count: 64)
        for block in stride(from: 0, to: padded.count, by: 64) {
            for t in 0..<16 {
                let at = block + 4 * t
                w[t] =
                    UInt32(padded[at]) << 24 | UInt32(padded[at + 1]) << 16 | UInt32(padded[at + 2]) << 8
                    | UInt32(padded[at + 3])
            }
            for t in 16..<64 {
                let s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3)
                let s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10)
                w[t] = w[t - 16] &+ s0 &+ w[t - 7] &+ s1
            }
            var v = h
            for t in 0..<64 {
                let s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
                let choose = (v[4] & v[5]) ^ (~v[4] & v[6])
                let t1 = v[7] &+ s1 &+ choose &+ rounds[t] &+ w[t]
                let s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
                let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
                v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
            }
            for i in 0..<8 { h[i] = h[i] &+ v[i] }
        }
        return h
    }

    private static func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { (x >> n) | (x << (32 - n)) }

    private static let primes: [Int] = (2...311).filter { n in (2..<n).allSatisfy { n % $0 != 0 } }

    /// First 32 bits of the fraction of a root of a prime: floor(2³²·frac(p^(1/k))), by whole-number search.
    private static func fraction(_ prime: Int, cube: Bool) -> UInt32 {
        // Largest y with y^k ≤ p·2^(32k); 128 bits hold p·2^96 for p < 2³².
        let target = UInt128(prime) << (cube ? 96 : 64)
        var (low, high) = (UInt128(0), UInt128(1) << 38)
        while high - low > 1 {
            let middle = (low + high) / 2
            if (cube ? middle * middle * middle : middle * middle) <= target { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }

    private static let initial = primes.prefix(8).map { fraction($0, cube: false) }
    private static let rounds = primes.prefix(64).map { fraction($0, cube: true) }
}
