/// A number held as the unevaluated sum of two doubles: about 31 decimal digits.
///
/// Used where one digit lost is one digit too many: residuals of ill-conditioned fits, sums of near-equal readings.
/// Algorithms: Dekker 1971, Knuth's two-sum, products by fused multiply-add.
package struct DoubleDouble: Sendable, Equatable {
    package var high: Double
    package var low: Double

    package init(_ value: Double) {
        high = value
        low = 0
    }

    package init(high: Double, low: Double) {
        self.high = high
        self.low = low
    }

    package static let zero = DoubleDouble(0)
    package static let one = DoubleDouble(1)

    /// Nearest double.
    package var value: Double { high }

    /// high + low with no error, for any two doubles.
    @inline(__always)
    static func twoSum(_ a: Double, _ b: Double) -> DoubleDouble {
        let s = a + b
        let bb = s - a
        return DoubleDouble(high: s, low: (a - (s - bb)) + (b - bb))
    }

    /// As `twoSum` where |a| ≥ |b| is known.
    @inline(__always)
    static func quickSum(_ a: Double, _ b: Double) -> DoubleDouble {
        let s = a + b
        return DoubleDouble(high: s, low: b - (s - a))
    }

    @inline(__always)
    static func twoProduct(_ a: Double, _ b: Double) -> DoubleDouble {
        let p = a * b
        return DoubleDouble(high: p, low: (-p).addingProduct(a, b))
    }

    package static func + (a: Self, b: Self) -> Self {
        let s = twoSum(a.high, b.high)
        let t = twoSum(a.low, b.low)
        let r = quickSum(s.high, s.low + t.high)
        return quickSum(r.high, r.low + t.low)
    }

    package static prefix func - (a: Self) -> Self { Self(high: -a.high, low: -a.low) }
    package static func - (a: Self, b: Self) -> Self { a + (-b) }

    package static func * (a: Self, b: Self) -> Self {
        let p = twoProduct(a.high, b.high)
        return quickSum(p.high, p.low + (a.high * b.low + a.low * b.high))
    }

    package static func * (a: Self, b: Double) -> Self {
        let p = twoProduct(a.high, b)
        return quickSum(p.high, p.low + a.low * b)
    }

    package static func / (a: Self, b: Self) -> Self {
        let q1 = a.high / b.high
        var r = a - b * q1
        let q2 = r.high / b.high
        r = r - b * q2
        let q3 = r.high / b.high
        return quickSum(q1, q2) + Self(q3)
    }

    package static func += (a: inout Self, b: Self) { a = a + b }
    package static func -= (a: inout Self, b: Self) { a = a - b }

    /// Square root; zero for values not above zero.
    package func squareRoot() -> Self {
        guard high > 0 else { return .zero }
        let x = 1 / high.squareRoot()
        let ax = high * x
        let correction = (self - Self.twoProduct(ax, ax)).high * (x * 0.5)
        return Self.twoSum(ax, correction)
    }

    package static func < (a: Self, b: Self) -> Bool { a.high < b.high || (a.high == b.high && a.low < b.low) }
}

extension DoubleDouble {
    /// Reads a decimal number ("10000000.2", "-6.86e-1") without first rounding it to a double; nil if it is none.
    ///
    /// Readings such as 1000000000000.4 lose four digits of their fraction when they become a double; here they keep them.
    package init?(decimal text: some StringProtocol) {
        guard let rounded = Double(text), rounded.isFinite else { return nil }
        var digits: [UInt8] = []
        var scale = 0
        var seenPoint = false
        var negative = false
        var exponent = 0
        var bytes = Substring(text).utf8[...]
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            negative = first == UInt8(ascii: "-")
            bytes = bytes.dropFirst()
        }
        while let byte = bytes.first {
            bytes = bytes.dropFirst()
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(byte - UInt8(ascii: "0"))
                if seenPoint { scale -= 1 }
            case UInt8(ascii: "."): seenPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let read = Int(Substring(bytes)) else { return nil }
                exponent = read
                bytes = bytes[bytes.endIndex...]
            default:
                // Hexadecimal and other spellings that Double accepts: take the double as it is.
                self.init(rounded)
                return
            }
        }
        var sum = DoubleDouble.zero
        // 34 digits are more than the pair can hold; the rest only moves the point.
        for digit in digits.prefix(34) { sum = sum * 10 + DoubleDouble(Double(digit)) }
        let power = exponent + scale + max(0, digits.count - 34)
        guard abs(power) < 290, rounded != 0 else {
            self.init(rounded)
            return
        }
        var factor = DoubleDouble.one
        for _ in 0..<abs(power) { factor = factor * 10 }
        let magnitude = power < 0 ? sum / factor : sum * factor
        self = negative ? -magnitude : magnitude
    }
}
