/// AES-128 in ECB mode on whole 16-byte blocks (FIPS 197), as the POWER-Z memory and auth frames use it.
///
/// Own code and not a library: the keys are published interoperability constants, so there is no secret whose timing
/// could leak, and about a hundred lines checked by the FIPS-197 vectors spare every program, emulator and test guest
/// a run-time library. Nothing that needs secrecy may use this type.
package struct AES128: Sendable {
    package static let blockSize = 16
    private let roundKeys: [[UInt8]]

    /// - Parameter key: 16 bytes.
    package init(key: StaticString) {
        self.init(keyBytes: key.withUTF8Buffer { Array($0) })
    }

    package init(keyBytes key: [UInt8]) {
        precondition(key.count == 16, "an AES-128 key has 16 bytes")
        var words = (0..<4).map { Array(key[4 * $0..<4 * $0 + 4]) }
        var roundConstant: UInt8 = 1
        for i in 4..<44 {
            var word = words[i - 1]
            if i.isMultiple(of: 4) {
                word = [word[1], word[2], word[3], word[0]].map { Self.box[Int($0)] }
                word[0] ^= roundConstant
                roundConstant = Self.doubled(roundConstant)
            }
            words.append(zip(words[i - 4], word).map { $0 ^ $1 })
        }
        roundKeys = (0..<11).map { Array(words[4 * $0..<4 * $0 + 4].joined()) }
    }

    /// - Precondition: the number of bytes is a multiple of 16.
    package func encrypt(_ plain: some Collection<UInt8>) -> [UInt8] { perBlock(plain, encryptBlock) }

    /// - Precondition: the number of bytes is a multiple of 16.
    package func decrypt(_ cipher: some Collection<UInt8>) -> [UInt8] { perBlock(cipher, decryptBlock) }

    private func perBlock(_ input: some Collection<UInt8>, _ transform: ([UInt8]) -> [UInt8]) -> [UInt8] {
        let bytes = Array(input)
        precondition(bytes.count.isMultiple(of: Self.blockSize), "ECB without padding works on whole blocks")
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        for start in stride(from: 0, to: bytes.count, by: Self.blockSize) {
            output += transform(Array(bytes[start..<start + Self.blockSize]))
        }
        return output
    }

    private func encryptBlock(_ block: [UInt8]) -> [UInt8] {
        var s = Self.xor(block, roundKeys[0])
        for round in 1...10 {
            // SubBytes and ShiftRows in one step: row r of column c comes from column c + r.
            let shifted = (0..<16).map { Self.box[Int(s[($0 + 4 * ($0 & 3)) & 15])] }
            s = Self.xor(round < 10 ? Self.mixed(shifted, 2, 3, 1, 1) : shifted, roundKeys[round])
        }
        return s
    }

    private func decryptBlock(_ block: [UInt8]) -> [UInt8] {
        var s = block
        for round in (1...10).reversed() {
            s = Self.xor(s, roundKeys[round])
            if round < 10 { s = Self.mixed(s, 14, 11, 13, 9) }
            s = (0..<16).map { Self.inverseBox[Int(s[($0 - 4 * ($0 & 3)) & 15])] }
        }
        return Self.xor(s, roundKeys[0])
    }

    private static func xor(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] { zip(a, b).map { $0 ^ $1 } }

    /// MixColumns with the circulant matrix whose first row is given.
    private static func mixed(_ s: [UInt8], _ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> [UInt8] {
        (0..<16).map { i in
            let column = i & ~3
            let row = i & 3
            return product(s[column + row], a) ^ product(s[column + (row + 1) & 3], b)
                ^ product(s[column + (row + 2) & 3], c) ^ product(s[column + (row + 3) & 3], d)
        }
    }

    private static func doubled(_ x: UInt8) -> UInt8 { x << 1 ^ (x & 0x80 != 0 ? 0x1B : 0) }

    /// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
    private static func product(_ x: UInt8, _ y: UInt8) -> UInt8 {
        var (sum, term, rest): (UInt8, UInt8, UInt8) = (0, x, y)
        while rest != 0 {
            if rest & 1 != 0 { sum ^= term }
            term = doubled(term)
            rest >>= 1
        }
        return sum
    }

    /// The S-box, computed from its definition: inverse in GF(2^8), then the affine map.
    private static let box: [UInt8] = (0...255).map { index in
        let x = UInt8(index)
        // x^254 is the inverse of x (and 0 for 0).
        var inverse: UInt8 = 1
        for _ in 0..<254 { inverse = product(inverse, x) }
        var image: UInt8 = 0x63
        for turn in 0..<5 as Range<UInt8> {
            image ^= inverse << turn
            if turn > 0 { image ^= inverse >> (8 - turn) }
        }
        return image
    }

    private static let inverseBox: [UInt8] = {
        var inverse = [UInt8](repeating: 0, count: 256)
        for (x, y) in box.enumerated() { inverse[Int(y)] = UInt8(x) }
        return inverse
    }()
}
