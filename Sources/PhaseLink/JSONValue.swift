/// A JSON value whose integers stay integers.
///
/// Marker stamps exceed 2^53 (wall clock nanoseconds always do), so a reader that passes numbers through `Double`
/// shifts them. Foundation takes that way for number objects and for tokens such as `9007199254740993.0`; this type
/// never does: a token without fraction and exponent is an integer or it is refused where an integer is due.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Integers above `Int64.max`, such as Flower's 64-bit unsigned ids.
    case unsigned(UInt64)
    /// Tokens with fraction or exponent, and integers beyond 64 bits.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Nil if the bytes are not exactly one JSON value.
    package init?(parsing bytes: [UInt8]) {
        guard let value = try? JSONScanner.value(of: bytes[...]) else { return nil }
        self = value
    }

    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }

    /// Numeric reading of any number case, for telemetry; not for stamps.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value as plain text: strings without quotes, everything else as JSON.
    package var text: String {
        if case .string(let value) = self { value } else { encoded }
    }

    /// Compact JSON, object keys sorted, no line breaks inside (line breaks in strings are escaped).
    package var encoded: String {
        var out = ""
        write(to: &out)
        return out
    }

    package func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += String(value)
        case .unsigned(let value): out += String(value)
        // JSON has no infinities or NaN.
        case .number(let value): out += value.isFinite ? "\(value)" : "null"
        case .string(let value): Self.writeString(value, to: &out)
        case .array(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += "," }
                value.write(to: &out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out += "," }
                Self.writeString(member.key, to: &out)
                out += ":"
                member.value.write(to: &out)
            }
            out += "}"
        }
    }

    package static func writeString(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
