extension DelimitedTable {
    /// Walks the bytes once and finds where every field begins and ends.
    struct Scanner {
        let file: String
        let bytes: [UInt8]
        var position = 0
        var line = 1
        var headerLine = 1
        var separator = UInt8(ascii: ",")

        init(file: String, bytes: [UInt8]) {
            self.file = file
            self.bytes = bytes
            // A byte order mark is what spreadsheet programs put in front of UTF-8.
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        }

        mutating func header() throws(MetrologyError) -> [String] {
            guard bytes.count < Int(Int32.max) else {
                throw .badTable(file: file, line: nil, reason: "larger than 2 GiB; split it")
            }
            skipBlank()
            headerLine = line
            guard position < bytes.count else {
                throw .badTable(file: file, line: nil, reason: "empty, no header line")
            }
            let end = bytes[position...].firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) ?? bytes.count
            let head = bytes[position..<end]
            for candidate in [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")] where head.contains(candidate) {
                separator = candidate
                break
            }
            var spans: [Range<Int32>] = []
            try record(into: &spans)
            return spans.map { String(decoding: bytes[Int($0.lowerBound)..<Int($0.upperBound)], as: UTF8.self) }
        }

        mutating func rows(width: Int) throws(MetrologyError) -> (spans: [Range<Int32>], lines: [Int32]) {
            var spans: [Range<Int32>] = []
            var lines: [Int32] = []
            while true {
                skipBlank()
                guard position < bytes.count else { return (spans, lines) }
                let before = spans.count
                let start = line
                try record(into: &spans)
                guard spans.count - before == width else {
                    throw .badTable(
                        file: file, line: start,
                        reason: "\(spans.count - before) fields, the header names \(width)")
                }
                lines.append(Int32(start))
            }
        }

        /// Skips empty lines and `#` comments.
        private mutating func skipBlank() {
            while position < bytes.count {
                var look = position
                while look < bytes.count, bytes[look] == 0x20 || bytes[look] == 0x0D { look += 1 }
                if look == bytes.count {
                    position = look
                } else if bytes[look] == 0x0A {
                    position = look + 1
                    line += 1
                } else if bytes[look] == UInt8(ascii: "#") {
                    position = bytes[look...].firstIndex(of: 0x0A) ?? bytes.count
                } else {
                    return
                }
            }
        }

        /// Reads one record up to and with its line end.
        private mutating func record(into spans: inout [Range<Int32>]) throws(MetrologyError) {
            while true {
                try field(into: &spans)
                guard position < bytes.count else { return }
                let byte = bytes[position]
                position += 1
                if byte == separator { continue }
                if byte == 0x0D, position < bytes.count, bytes[position] == 0x0A { position += 1 }
                line += 1
                return
            }
        }

        private mutating func field(into spans: inout [Range<Int32>]) throws(MetrologyError) {
            while position < bytes.count, bytes[position] == 0x20 { position += 1 }
            var start = position
            var end = position
            if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
                let opened = line
                position += 1
                start = position
                while true {
                    guard position < bytes.count else {
                        throw .badTable(file: file, line: opened, reason: "a quote is opened and never closed")
                    }
                    let byte = bytes[position]
                    if byte == 0x0A { line += 1 }
                    if byte == UInt8(ascii: "\"") {
                        guard position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "\"") else { break }
                        position += 1
                    }
                    position += 1
                }
                end = position
                position += 1
                while position < bytes.count, bytes[position] == 0x20 { position += 1 }
                guard position == bytes.count || isDelimiter(bytes[position]) else {
                    throw .badTable(file: file, line: line, reason: "text follows a closing quote")
                }
            } else {
                while position < bytes.count, !isDelimiter(bytes[position]) { position += 1 }
                end = position
                while end > start, bytes[end - 1] == 0x20 { end -= 1 }
            }
            spans.append(Int32(start)..<Int32(end))
        }

        private func isDelimiter(_ byte: UInt8) -> Bool { byte == separator || byte == 0x0A || byte == 0x0D }
    }
}
