import Foundation

/// A file that appears under its name only when it is complete: written as `NAME.partial`, synced, then renamed.
package final class OutputFile {
    package let path: String
    private let partial: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    /// Bytes written so far, those still in the buffer included.
    package private(set) var length = 0

    private static let bufferSize = 1 << 18

    package init(_ path: String, overwrite: Bool = false) throws(ExportError) {
        self.path = path
        partial = path + ".partial"
        if !overwrite, access(path, F_OK) == 0 { throw .exists(path: path) }
        descriptor = open(partial, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        buffer.reserveCapacity(Self.bufferSize + 4096)
    }

    /// A file that was not finished leaves nothing behind.
    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(partial)
        }
    }

    package func write(_ bytes: [UInt8]) throws(ExportError) {
        length += bytes.count
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bufferSize { try flush() }
    }

    package func write(_ text: String) throws(ExportError) { try write(Array(text.utf8)) }

    /// Makes the file durable and gives it its name.
    package func finish() throws(ExportError) {
        try flush()
        guard fsync(descriptor) == 0 else { throw failure }
        close(descriptor)
        descriptor = -1
        guard rename(partial, path) == 0 else {
            let reason = failure
            unlink(partial)
            throw reason
        }
    }

    private func flush() throws(ExportError) {
        var at = 0
        while at < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: at), $0.count - at)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure }
            at += count
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private var failure: ExportError { .cannotWrite(path: path, reason: String(cString: strerror(errno))) }

    /// A serial or node name as part of a file name: letters, digits, `.`, `-`, `_`; never empty, never hidden.
    package static func safeName(_ text: String) -> String {
        let safe = String(
            text.unicodeScalars.map { scalar -> Character in
                let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                return isPlain || scalar == "-" || scalar == "_" || scalar == "." ? Character(scalar) : "_"
            })
        return safe.isEmpty || safe.hasPrefix(".") ? "_" + safe : safe
    }

    /// File-name parts for several serials, all different even where the plain ones are not.
    package static func safeNames(_ serials: [String]) -> [String: String] {
        var used: Set<String> = []
        var names: [String: String] = [:]
        for serial in serials {
            var name = safeName(serial)
            var number = 2
            while !used.insert(name).inserted {
                name = safeName(serial) + "_\(number)"
                number += 1
            }
            names[serial] = name
        }
        return names
    }
}
