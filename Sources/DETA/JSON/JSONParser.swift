import Foundation

/// Reads JSON (RFC 8259) from bytes into `JSONNode`s. Own parser because Foundation's hides the place of a mistake,
/// merges duplicate keys and refuses a whole file for one `NaN` without saying where it stands.
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0
    private var depth = 0
    private static let deepest = 64

    /// - Throws: `DETAError.syntax` with line and column.
    static func parse(_ data: Data) throws(DETAError) -> JSONNode {
        // A terminating zero lets strtod stop at the end of the text.
        var copy = [UInt8](data)
        copy.append(0)
        let result: Result<JSONNode, DETAError> = copy.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: UnsafeBufferPointer(rebasing: buffer[0..<(buffer.count - 1)]))
            do throws(DETAError) { return .success(try parser.document()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func document() throws(DETAError) -> JSONNode {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        let node = try value()
        skipBlanks()
        guard at == bytes.count else { throw failure("text after the end of the JSON value") }
        return node
    }

    private func failure(_ reason: String, back: Int = 0) -> DETAError {
        let here = max(0, min(at, bytes.count) - back)
        var line = 1
        var column = 1
        for index in 0..<here {
            if bytes[index] == 0x0A {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return .syntax(line: line, column: column, reason: reason)
    }

    private mutating func skipBlanks() {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at += 1
        }
    }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func value() throws(DETAError) -> JSONNode {
        skipBlanks()
        guard let byte = current else { throw failure("the text ends where a value is expected") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: return try word()
        }
    }

    private mutating func word() throws(DETAError) -> JSONNode {
        let words: [(String, JSONNode)] = [
            ("null", .null), ("true", .bool(true)), ("false", .bool(false)), ("NaN", .notFinite("NaN")),
            ("Infinity", .notFinite("Infinity")),
        ]
        for (word, node) in words where bytes[at...].starts(with: word.utf8) {
            at += word.utf8.count
            return node
        }
        throw failure("no JSON value starts here")
    }

    private mutating func number() throws(DETAError) -> JSONNode {
        let start = at
        if bytes[at...].starts(with: "-Infinity".utf8) {
            at += 9
            return .notFinite("-Infinity")
        }
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let whole = digits()
        guard whole > 0 else { throw failure("digits are missing") }
        if whole > 1, bytes[at - whole] == UInt8(ascii: "0") { throw failure("a number must not start with 0") }
        if current == UInt8(ascii: ".") {
            at += 1
            guard digits() > 0 else { throw failure("digits are missing after the decimal point") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            at += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw failure("digits are missing in the exponent") }
        }
        guard let base = bytes.baseAddress else { throw failure("empty") }
        let parsed = UnsafeRawPointer(base + start).withMemoryRebound(to: CChar.self, capacity: at - start + 1) {
            strtod($0, nil)
        }
        guard parsed.isFinite else {
            return .notFinite(String(decoding: bytes[start..<at], as: UTF8.self))
        }
        return .number(parsed)
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { at += 1 }
        return at - start
    }

    private mutating func enter() throws(DETAError) {
        depth += 1
        if depth > Self.deepest { throw failure("nested deeper than \(Self.deepest) levels") }
        at += 1
        skipBlanks()
    }

    private mutating func array() throws(DETAError) -> JSONNode {
        try enter()
        defer { depth -= 1 }
        var items: [JSONNode] = []
        if current == UInt8(ascii: "]") {
            at += 1
            return .array(items)
        }
        while true {
            items.append(try value())
            skipBlanks()
            switch current {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return .array(items)
            default: throw failure("',' or ']' is expected")
            }
        }
    }

    private mutating func object() throws(DETAError) -> JSONNode {
        try enter()
        defer { depth -= 1 }
        var members: [JSONNode.Member] = []
        if current == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw failure("a key in quotes is expected") }
            let key = try text()
            skipBlanks()
            guard current == UInt8(ascii: ":") else { throw failure("':' is expected after key \"\(key)\"") }
            at += 1
            members.append(.init(key, try value()))
            skipBlanks()
            switch current {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return .object(members)
            default: throw failure("',' or '}' is expected")
            }
        }
    }

    private mutating func text() throws(DETAError) -> String {
        at += 1
        var units: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                guard let text = String(validating: units, as: UTF8.self) else {
                    throw failure("the text is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                at += 1
                units.append(contentsOf: try escape())
            case 0..<0x20: throw failure("a control character in a text")
            default:
                units.append(byte)
                at += 1
            }
        }
        throw failure("the text has no closing quote")
    }

    private mutating func escape() throws(DETAError) -> [UInt8] {
        guard let byte = current else { throw failure("the text ends in an escape") }
        at += 1
        switch byte {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "u"):
            var scalar = try hex4()
            if (0xD800..<0xDC00).contains(scalar) {
                guard current == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else {
                    throw failure("half of a surrogate pair")
                }
                at += 2
                let low = try hex4()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
                scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00)
            }
            guard let unicode = Unicode.Scalar(scalar) else { throw failure("half of a surrogate pair") }
            return Array(String(Character(unicode)).utf8)
        default: throw failure("unknown escape", back: 1)
        }
    }

    private mutating func hex4() throws(DETAError) -> UInt32 {
        guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits are expected") }
        at += 4
        return value
    }
}
