/// Reads one JSON value from bytes (RFC 8259), keeping 64-bit integers exact.
///
/// Refused: anything after the value, nesting deeper than 32, invalid UTF-8, unpaired surrogates, control characters
/// in strings, leading zeros. Of repeated keys the last one counts.
struct JSONScanner {
    struct Failure: Error, Equatable {
        /// Byte offset into the line.
        var offset: Int
        var reason: String
    }

    private static let depthLimit = 32
    private let bytes: ArraySlice<UInt8>
    private var at: Int
    private var depth = 0

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    static func value(of bytes: ArraySlice<UInt8>) throws(Failure) -> JSONValue {
        var scanner = JSONScanner(bytes)
        scanner.skipBlanks()
        let value = try scanner.value()
        scanner.skipBlanks()
        guard scanner.at == bytes.endIndex else { throw scanner.failure("something follows the JSON value") }
        return value
    }

    private func failure(_ reason: String) -> Failure { Failure(offset: at - bytes.startIndex, reason: reason) }

    private var next: UInt8? { at < bytes.endIndex ? bytes[at] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value() throws(Failure) -> JSONValue {
        switch next {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some: return try number()
        case nil: throw failure("the line ends inside a value")
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Failure) -> JSONValue {
        for byte in word.utf8 where !take(byte) { throw failure("expected \(word)") }
        return value
    }

    private mutating func enter() throws(Failure) {
        at += 1
        depth += 1
        guard depth <= Self.depthLimit else { throw failure("nested deeper than \(Self.depthLimit)") }
        skipBlanks()
    }

    private mutating func object() throws(Failure) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var members: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let key = try string()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw failure("expected : after key") }
            skipBlanks()
            members[key] = try value()
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected , or } in object") }
        }
    }

    private mutating func array() throws(Failure) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var values: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .array(values) }
        while true {
            skipBlanks()
            values.append(try value())
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(values) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected , or ] in array") }
        }
    }

    private mutating func digits() throws(Failure) {
        guard let byte = next, (0x30...0x39).contains(byte) else { throw failure("expected a digit") }
        while let byte = next, (0x30...0x39).contains(byte) { at += 1 }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger {
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
        }
        guard let value = Double(text), value.isFinite else { throw failure("number out of range") }
        return .number(value)
    }

    private mutating func string() throws(Failure) -> String {
        at += 1
        var out: [UInt8] = []
        var start = at
        while let byte = next {
            if byte == UInt8(ascii: "\"") {
                out += bytes[start..<at]
                at += 1
                guard let text = String(validating: out, as: UTF8.self) else { throw failure("invalid UTF-8") }
                return text
            }
            guard byte >= 0x20 else { throw failure("control character in a string") }
            if byte == UInt8(ascii: "\\") {
                out += bytes[start..<at]
                at += 1
                out += try escape()
                start = at
            } else {
                at += 1
            }
        }
        throw failure("the line ends inside a string")
    }

    private mutating func escape() throws(Failure) -> [UInt8] {
        guard let byte = next else { throw failure("the line ends inside an escape") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hex4()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure("unpaired surrogate") }
                let low = try hex4()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("unpaired surrogate") }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("unpaired surrogate") }
            return Array(String(scalar).utf8)
        default: throw failure("unknown escape")
        }
    }

    private mutating func hex4() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("expected four hex digits")
            }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }
}
