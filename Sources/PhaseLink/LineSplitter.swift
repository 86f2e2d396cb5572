/// Cuts a byte stream into lines of bounded length.
///
/// A line over the limit is dropped up to its line break and told as `.oversized`; memory stays below the limit plus
/// one chunk.
package struct LineSplitter: Sendable {
    package enum Piece: Sendable, Equatable {
        /// A line without its line break (and without a carriage return before it). Never empty.
        case line([UInt8])
        /// A line longer than the limit was skipped; `bytes` is its length.
        case oversized(bytes: Int)
    }

    private let byteLimit: Int
    private var partial: [UInt8] = []
    /// Length so far of a line that is being skipped.
    private var skipped: Int?

    package init(byteLimit: Int = MarkerLine.byteLimit) { self.byteLimit = byteLimit }

    package mutating func feed(_ bytes: some Collection<UInt8>) -> [Piece] {
        var pieces: [Piece] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            take(rest[..<end])
            finish(into: &pieces)
            rest = rest[rest.index(after: end)...]
        }
        take(rest)
        return pieces
    }

    /// What follows the last line break when the stream ends. A file's last line may lack its line break; a socket's
    /// then was cut and fails to parse.
    package mutating func end() -> [Piece] {
        var pieces: [Piece] = []
        finish(into: &pieces)
        return pieces
    }

    private mutating func take(_ bytes: some Collection<UInt8>) {
        if let length = skipped {
            skipped = length + bytes.count
        } else if partial.count + bytes.count > byteLimit + 1 {
            // One more than the limit: the last byte may be the carriage return.
            skipped = partial.count + bytes.count
            partial = []
        } else {
            partial += bytes
        }
    }

    private mutating func finish(into pieces: inout [Piece]) {
        if let length = skipped {
            pieces.append(.oversized(bytes: length))
            skipped = nil
        } else {
            if partial.last == 0x0D { partial.removeLast() }
            if partial.count > byteLimit {
                pieces.append(.oversized(bytes: partial.count))
            } else if !partial.isEmpty {
                pieces.append(.line(partial))
            }
            partial = []
        }
    }
}
