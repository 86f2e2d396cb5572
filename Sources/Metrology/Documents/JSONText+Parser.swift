extension JSONText {
    /// Parses RFC 8259 JSON.
    /// - Throws: `MetrologyError.badDocument` with line and column of the first fault.
    package init(file: String, bytes: [UInt8]) throws(MetrologyError) {
        var parser = Parser(file: file, bytes: bytes)
        self = try parser.document()
    }

    private struct Parser {
        let file: String
        let bytes: [UInt8]
        var position = 0
        var depth = 0

        init(file: String, bytes: [UInt8]) {
            self.file = file
            self.bytes = bytes
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        }

        mutating func document() throws(MetrologyError) -> JSONText {
            let value = try value()
            skipBlank()
            guard position == bytes.count else { throw fault("text follows the end of the document") }
            return value
        }

        private mutating func value() throws(MetrologyError) -> JSONText {
            skipBlank()
            depth += 1
            defer { depth -= 1 }
            guard depth < 200 else { throw fault("nested more than 200 deep") }
            guard position < bytes.count else { throw fault("the document ends too early") }
            switch bytes[position] {
            case UInt8(ascii: "{"): return try object()
            case UInt8(ascii: "["): return try array()
            case UInt8(ascii: "\""): return .string(try string())
            case UInt8(ascii: "t"): return try word("true", .bool(true))
            case UInt8(ascii: "f"): return try word("false", .bool(false))
            case UInt8(ascii: "n"): return try word("null", .null)
            case UInt8(ascii: "N"), UInt8(ascii: "I"): throw fault("NaN and Infinity are no JSON numbers")
            default: return try number()
            }
        }

        private mutating func object() throws(MetrologyError) -> JSONText {
            position += 1
            var members: [(key: String, value: JSONText)] = []
            skipBlank()
            if take("}") { return .object(members) }
            while true {
                skipBlank()
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                    throw fault("expected a key in quotes")
                }
                let key = try string()
                skipBlank()
                guard take(":") else { throw fault("expected ':' after key \"\(key)\"") }
                members.append((key, try value()))
                skipBlank()
                if take("}") { return .object(members) }
                guard take(",") else { throw fault("expected ',' or '}'") }
            }
        }

        private mutating func array() throws(MetrologyError) -> JSONText {
            position += 1
            var values: [JSONText] = []
            skipBlank()
            if take("]") { return .array(values) }
            while true {
                values.append(try value())
                skipBlank()
                if take("]") { return .array(values) }
                guard take(",") else { throw fault("expected ',' or ']'") }
            }
        }

        private mutating func number() throws(MetrologyError) -> JSONText {
            let start = position
            func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
            _ = take("-")
            let whole = position
            while position < bytes.count, isDigit(bytes[position]) { position += 1 }
            guard position > whole else { throw fault("expected a value") }
            if take(".") {
                let fraction = position
                while position < bytes.count, isDigit(bytes[position]) { position += 1 }
                guard position > fraction else { throw fault("a number ends with its point") }
            }
            if position < bytes.count, bytes[position] == UInt8(ascii: "e") || bytes[position] == UInt8(ascii: "E") {
                position += 1
                if !take("-") { _ = take("+") }
                let exponent = position
                while position < bytes.count, isDigit(bytes[position]) { position += 1 }
                guard position > exponent else { throw fault("a number has an empty exponent") }
            }
            return .number(String(decoding: bytes[start..<position], as: UTF8.self))
        }

        private mutating func string() throws(MetrologyError) -> String {
            position += 1
            var scalars = String.UnicodeScalarView()
            var raw: [UInt8] = []
            func flush(_ raw: inout [UInt8], _ scalars: inout String.UnicodeScalarView) {
                scalars.append(contentsOf: String(decoding: raw, as: UTF8.self).unicodeScalars)
                raw.removeAll(keepingCapacity: true)
            }
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                if byte == UInt8(ascii: "\"") {
                    flush(&raw, &scalars)
                    return String(scalars)
                }
                guard byte >= 0x20 else { throw fault("a line break or control character inside quotes") }
                guard byte == UInt8(ascii: "\\") else {
                    raw.append(byte)
                    continue
                }
                guard position < bytes.count else { break }
                let escape = bytes[position]
                position += 1
                switch escape {
                case UInt8(ascii: "n"): raw.append(0x0A)
                case UInt8(ascii: "t"): raw.append(0x09)
                case UInt8(ascii: "r"): raw.append(0x0D)
                case UInt8(ascii: "b"): raw.append(0x08)
                case UInt8(ascii: "f"): raw.append(0x0C)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): raw.append(escape)
                case UInt8(ascii: "u"):
                    flush(&raw, &scalars)
                    scalars.append(try escapedScalar())
                default: throw fault("unknown escape in a string")
                }
            }
            throw fault("a quote is opened and never closed")
        }

        private mutating func escapedScalar() throws(MetrologyError) -> Unicode.Scalar {
            let first = try hexadecimal()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else { throw fault("half a surrogate pair") }
            let second = try hexadecimal()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw fault("half a surrogate pair") }
            return scalar
        }

        private mutating func hexadecimal() throws(MetrologyError) -> UInt32 {
            guard position + 4 <= bytes.count,
                let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
            else { throw fault("\\u needs four hexadecimal digits") }
            position += 4
            return value
        }

        private mutating func word(_ word: String, _ value: JSONText) throws(MetrologyError) -> JSONText {
            guard bytes[position...].starts(with: word.utf8) else { throw fault("expected a value") }
            position += word.utf8.count
            return value
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        private mutating func skipBlank() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }

        private func fault(_ reason: String) -> MetrologyError {
            let before = bytes.prefix(position)
            let line = before.count { $0 == 0x0A } + 1
            let column = position - (before.lastIndex(of: 0x0A) ?? -1)
            return .badDocument(file: file, path: "line \(line), column \(column)", reason: reason)
        }
    }
}
